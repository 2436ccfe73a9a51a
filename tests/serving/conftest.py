"""Tiny voices of letters, served without a file."""

import json

import pytest

from hf_vits import TextToSpeechPipeline, VitsTokenizer

LETTERS = "_abcdefghijklmnop .'"


@pytest.fixture(scope="session")
def letters(tmp_path_factory):
    """The vocabulary of the tiny voices, for 20 tokens."""
    file = tmp_path_factory.mktemp("letters") / "tokens.json"
    file.write_text(json.dumps({token: number for number, token in enumerate(LETTERS)}))
    return VitsTokenizer(str(file), pad_token="_", phonemize=False)


@pytest.fixture(scope="session")
def make_pipe(make_model, letters):
    return lambda **fields: TextToSpeechPipeline(make_model(**fields), tokenizer=letters)


@pytest.fixture(scope="session")
def pipe(make_pipe):
    return make_pipe()
