"""A text is divided as a document, with a prosody, or not at all."""

import pytest

from hf_vits.prosody.arguments import check_prosody
from hf_vits.ssml.reader import VoiceTraits
from hf_vits.ssml.texts import scripted_sentences
from hf_vits.ssml.values import SsmlError
from hf_vits.text.errors import NoTokensError

VOICE = VoiceTraits()


def split(text):
    return [part.strip() + "." for part in text.split(".") if part.strip()]


def sentences(text, prosody=None, strict=None):
    return scripted_sentences(text, VOICE, split, prosody or {}, strict)


def test_a_plain_text_without_prosody_is_left_to_others():
    assert sentences("A hope. A map.") is None


def test_a_plain_text_with_a_volume_has_it_in_every_character():
    first, second = sentences("A hope. A map.", check_prosody({"volume": -6.0}))
    assert (first.text, second.text) == ("A hope.", "A map.")
    assert {style.volume for style in first.styles + second.styles} == {-6.0}


def test_a_document_is_divided_and_has_the_prosody_of_the_call_too():
    (only,) = sentences("<speak>A hope.</speak>", check_prosody({"volume": 3.0}))
    assert only.text == "A hope." and {style.volume for style in only.styles} == {3.0}
    (plain,) = sentences("<speak>A hope.</speak>")
    assert {style.volume for style in plain.styles} == {0.0}


def test_a_document_without_text_is_an_error():
    with pytest.raises(NoTokensError, match="no text that is left to speak"):
        sentences("<speak> </speak>")


def test_parts_without_effect_are_refused_noted_or_passed_over(caplog):
    document = '<speak><audio src="a.wav">A hope.</audio></speak>'
    assert len(sentences(document)) == 1 and not caplog.records
    assert len(sentences(document, strict=False)) == 1
    assert "parts without effect here" in caplog.text and "audio" in caplog.text
    with pytest.raises(SsmlError, match="parts without effect here.*Leave them out, or `strict`"):
        sentences(document, strict=True)
