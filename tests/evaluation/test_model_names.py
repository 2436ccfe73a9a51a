"""Names of models, and the languages that they know."""

import pytest

from hf_vits.evaluation.model_names import language_without_region


def test_languages_are_known_without_their_region_and_others_are_an_error():
    known = ["en", "de", "yue"]
    assert [language_without_region(code, known, "m") for code in ("en-us", "DE", "eng", "yue")] == [
        "en", "de", "en", "yue",
    ]  # fmt: skip
    assert language_without_region(None, known, "m") is None
    with pytest.raises(ValueError, match=r"no language 'xx'. It has de, en, yue: give one"):
        language_without_region("xx", known, "m")
