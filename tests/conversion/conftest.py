"""Lets the tests of this folder import what they share, and makes the Piper voice that several of them read."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def a_voice(tmp_path_factory) -> Path:
    """The ONNX file of a small Piper voice."""
    from piper_files import tiny_model, write_voice

    return write_voice(tmp_path_factory.mktemp("voice"), tiny_model())
