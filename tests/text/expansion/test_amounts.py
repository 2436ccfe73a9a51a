"""Amounts are read as their parts are."""

import pytest

pytest.importorskip("unicode_rbnf")

from hf_vits.text.expansion.amounts import fraction, money, money_attributive
from hf_vits.text.expansion.language import language_of


@pytest.fixture(scope="module")
def english():
    return language_of("en")


@pytest.mark.parametrize(
    ("text", "read"),
    [("1", "one dollar"), ("2.00", "two dollars"), ("0.01", "one cent"), ("-3", "minus three dollars")],
)
def test_units_and_hundredths_are_counted(english, text, read):
    assert money(english, "$", text) == read


def test_both_are_the_one_and_the_other(english):
    both = money(english, "$", "4.05")
    assert both.startswith(money(english, "$", "4")) and "five" in both
    assert money_attributive(english, "$", "5") == "five dollar"


def test_what_is_no_amount_is_not_read(english):
    assert money(english, "no such sign", "4") is None and money(english, "$", "x") is None
    assert fraction(english, "1", "0") is None
