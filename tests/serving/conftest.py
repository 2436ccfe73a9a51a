"""Tiny voices of letters, served without a file."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_voices import SMALLEST, SPEAKERS

from hf_vits import TextToSpeechPipeline, VitsTokenizer
from hf_vits.prosody.fundamental import STEP

sys.path.insert(0, str(Path(__file__).parent))  # for `http_server`

LETTERS = "_abcdefghijklmnop .'"


@pytest.fixture(scope="session")
def letters(tmp_path_factory):
    """The vocabulary of the tiny voices, for 20 tokens."""
    file = tmp_path_factory.mktemp("letters") / "tokens.json"
    file.write_text(json.dumps({token: number for number, token in enumerate(LETTERS)}))
    return VitsTokenizer(str(file), pad_token="_", phonemize=False)


@pytest.fixture(scope="session")
def make_pipe(make_model, letters):
    return lambda **fields: TextToSpeechPipeline(make_model(**SMALLEST, **fields), tokenizer=letters)


@pytest.fixture(scope="session")
def pipe(make_pipe):
    return make_pipe()


@pytest.fixture
def voiced(monkeypatch):
    """Lets what random weights say count as voiced, so that its pitch can be changed."""

    def f0(samples, rate):
        return np.full(int(len(samples) / (STEP * rate)) + 1, 200.0)

    monkeypatch.setattr("hf_vits.prosody.pitch.fundamental_frequency", f0)


@pytest.fixture(scope="session")
def speakers_of_all():
    """Fields of a configuration with three speakers."""
    return dict(SPEAKERS)
