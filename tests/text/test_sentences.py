"""The built-in sentences are plain text of their language that needs no reading of numbers."""

import re

import pytest

from hf_vits import VitsTokenizer, default_voice
from hf_vits.text.sentences import _table, plain_sentences
from hf_vits.text.writing_systems import SupportedScripts, scripts_of

LANGUAGES = list(_table())


def test_a_language_is_found_by_code_and_by_espeak_voice():
    assert (
        plain_sentences("eng") == plain_sentences("en") == plain_sentences("en-us") == plain_sentences("en-gb-scotland")
    )
    assert plain_sentences("deu") == plain_sentences("de") != plain_sentences("nld") == plain_sentences("nl")
    assert plain_sentences("zh") == plain_sentences("cmn") and plain_sentences("por") == plain_sentences("pt-br")


@pytest.mark.parametrize("language", ["tlh", None])
def test_a_language_without_sentences_is_an_error_that_lists_the_others(language):
    with pytest.raises(ValueError, match=r"en, de, es.*give texts"):
        plain_sentences(language)


def test_the_caller_may_change_the_list():
    plain_sentences("en").clear()
    assert len(plain_sentences("en")) == 60


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_differ_end_with_a_mark_and_have_no_digits_or_letters_of_other_scripts(language):
    found = plain_sentences(language)
    assert len(set(found)) == len(found) >= 20
    assert all(re.search(r"[.!?。？！।؟]$", sentence) and not re.search(r"\d", sentence) for sentence in found)
    assert sum("?" in s or "？" in s or "؟" in s for s in found) >= 3
    scripts = SupportedScripts(scripts_of(language), language)
    assert not any(scripts.count_others(sentence) for sentence in found)


def test_the_english_sentences_hold_every_phoneme_of_a_common_text():
    """A text that is known to hold all consonants and vowels of American English is the oracle."""
    pytest.importorskip("phonemizer")
    pytest.importorskip("onnx")
    tokenizer = VitsTokenizer.from_pretrained(default_voice())
    all_phonemes = (
        "That quick beige fox jumped in the air over each thin dog. Look out, I shout, for he's foiled you again!"
    )
    assert set(tokenizer(all_phonemes).input_ids) <= {i for s in plain_sentences("en") for i in tokenizer(s).input_ids}
