"""Names and languages in cards."""

from types import SimpleNamespace

import pytest

from hf_vits.hub.cards import called, is_on_hub, language_code, plain_name


def test_a_name_on_the_hub_is_a_link_and_a_path_loses_its_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me" / "here").mkdir(parents=True)
    assert called("me/data") == "[me/data](https://huggingface.co/datasets/me/data)"
    assert not is_on_hub("me/here") and called("me/here") == "`here`" and plain_name(f"{tmp_path}/a.txt") == "a.txt"


@pytest.mark.parametrize(("language", "code"), [("eng", "eng"), ("en-us", "en"), (None, None), ("english", None)])
def test_a_language_is_an_iso_code(language, code):
    assert language_code(SimpleNamespace(language=None, phoneme_language=language)) == code
