"""Texts that sound the same are the same after normalization."""

import pytest

from hf_vits.evaluation.normalization import is_english, normalize, normalizer_of


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Hello,  world!", "hello world"),
        ("don’t", "Don't"),
        ("«Да» — нет…", "да нет"),
        ("well-known", "well known"),
        ("ＡＢＣ", "abc"),
        ("a'", "'a"),
        ("5 €", "5"),
    ],
)
def test_case_punctuation_and_symbols_do_not_count(left, right):
    assert normalize(left) == normalize(right)


@pytest.mark.parametrize(("left", "right"), [("schön", "schon"), ("कि", "क"), ("its", "it's"), ("a b", "ab")])
def test_what_sounds_different_stays_different(left, right):
    assert normalize(left) != normalize(right)


def test_normalizing_twice_changes_nothing():
    once = normalize("It's  “fine”, Straße — İstanbul")
    assert normalize(once) == once


def test_english_is_known_by_its_codes_only():
    assert all(map(is_english, ("en", "en-us", "eng", "EN")))
    assert not any(map(is_english, (None, "", "es", "enm")))


def test_english_has_a_normalizer_that_knows_numbers_and_contractions():
    pytest.importorskip("whisper_normalizer")
    english = normalizer_of("en-us")
    assert english("twenty two, I'm") == english("22 I am")
    assert normalizer_of("de") is normalize
