"""A cache of its own for each module, and a voice with its graphs in it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for what these tests share

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the cache, which is empty."""
    monkeypatch.setenv("HF_VITS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def save_voice(make_model, make_tokenizer, tmp_path):
    """Saves a voice -> its folder."""

    def save(name="voice", tokenizer=(), **fields):
        make_model(**fields).save_pretrained(tmp_path / name)
        make_tokenizer(**dict(tokenizer)).save_pretrained(tmp_path / name)
        return tmp_path / name

    return save
