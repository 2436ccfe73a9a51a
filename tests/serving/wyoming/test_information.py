"""A voice is described and chosen by its language as Home Assistant writes it."""

from types import SimpleNamespace

import pytest

pytest.importorskip("wyoming.info")

from hf_vits.serving.wyoming.information import choose_voice, language_tag


@pytest.mark.parametrize(
    ("language", "tag"), [("en-us", "en-US"), ("DE", "de"), ("pt_br", "pt-BR"), ("yue", "yue"), ("zh-hant", "zh-hant")]
)
def test_a_language_has_its_region_in_capitals(language, tag):
    assert language_tag(language) == tag


@pytest.mark.parametrize(
    ("given", "voice"),
    [({}, "a"), ({"language": "en-US"}, "b"), ({"language": "en-AU"}, "a"), ({"name": "b", "language": "de"}, "b")],
)
def test_a_name_is_taken_first_then_the_language_then_another_region(given, voice):
    languages = {"a": ["en-gb"], "b": ["en-us"]}
    pool = SimpleNamespace(
        names=["a", "b"],
        find=lambda name: None,
        languages=languages.get,
        config=lambda name: SimpleNamespace(num_languages=1),
    )
    assert choose_voice(pool, given) == {"voice": voice}
    with pytest.raises(ValueError, match="language 'fr'. Languages are en-GB, en-US"):
        choose_voice(pool, {"language": "fr"})
