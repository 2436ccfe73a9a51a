"""`from_pretrained` does not ask the Hub for the default voice, but says how to load it."""

import re

import pytest

from hf_vits import VitsConfig, VitsModel, VitsTokenizer
from hf_vits.utils.default_name import ALIAS, DEFAULT


@pytest.mark.parametrize("kind", [VitsConfig, VitsModel, VitsTokenizer])
@pytest.mark.parametrize("name", [ALIAS, DEFAULT])
def test_a_name_of_the_default_voice_is_an_error_that_says_how_to_load_it(kind, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    advice = re.escape(f"`{kind.__name__}.from_pretrained(hf_vits.default_voice())`")
    with pytest.raises(ValueError, match=f"'{name}' is a name for `hf-vits`.*{advice}"):
        kind.from_pretrained(name)


def test_a_folder_of_that_name_is_loaded(make_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_config(vocab_size=31).save_pretrained(ALIAS)
    assert VitsConfig.from_pretrained(ALIAS).vocab_size == 31
