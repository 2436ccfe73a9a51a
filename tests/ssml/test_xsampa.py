"""X-SAMPA is written in IPA, symbol by symbol."""

import pytest

from hf_vits.ssml import SsmlError
from hf_vits.ssml.xsampa import to_ipa


@pytest.mark.parametrize(
    ("text", "ipa"), [('"T3`st', "ˈθɝst"), ("r\\`A:", "ɻɑː"), ("t-S", "tʃ"), ("a.b|c", "abc"), ("J\\_<", "ʄ"), ("", "")]
)
def test_the_longest_symbol_is_read_and_marks_of_syllables_are_left_out(text, ipa):
    assert to_ipa(text) == ipa


def test_a_character_that_it_has_not_is_an_error_that_shows_it():
    with pytest.raises(SsmlError, match="no X-SAMPA at 'ä'"):
        to_ipa("bä")
