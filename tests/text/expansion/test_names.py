"""Letters, acronyms and addresses are read part by part."""

import pytest

pytest.importorskip("unicode_rbnf")

from hf_vits.text.expansion.language import language_of
from hf_vits.text.expansion.names import acronym, address, camel, letters


@pytest.fixture(scope="module")
def english():
    return language_of("en")


def test_words_that_are_written_together_are_divided(english):
    assert camel(english, "BlackFriday2024") == "Black Friday 2024" and camel(english, "plain") == "plain"


def test_letters_are_read_one_by_one_and_so_are_acronyms_without_a_vowel(english):
    assert letters(english, "XQ7") == " ".join(letters(english, one) for one in "XQ7")
    assert acronym(english, "B.C.D.") == acronym(english, "BCD") == letters(english, "BCD")
    assert acronym(english, "BCD", "s") == letters(english, "BCD") + "s"


def test_the_scheme_of_an_address_is_not_read(english):
    assert address(english, "https://example.org/") == address(english, "example.org")
    assert address(english, "example.org").startswith("example ")
