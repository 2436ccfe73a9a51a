"""Dates and times that do not exist are not read."""

import pytest

pytest.importorskip("unicode_rbnf")

from hf_vits.text.expansion.calendar import date, month, time
from hf_vits.text.expansion.language import language_of


@pytest.fixture(scope="module")
def english():
    return language_of("en")


@pytest.mark.parametrize(("y", "m", "d"), [("2021", "13", "1"), ("", "2", "30"), ("", "4", "31"), ("2021", "0", "")])
def test_a_day_or_month_that_is_none_is_not_read(english, y, m, d):
    assert date(english, y, m, d) is None


def test_a_year_of_two_digits_is_of_the_nearest_century(english):
    assert date(english, "51", "3", "4") == date(english, "1951", "3", "4") != date(english, "50", "3", "4")
    assert date(english, "50", "3", "4") == date(english, "2050", "3", "4")


def test_a_month_is_named_by_number_and_abbreviation(english):
    assert month(english, "09") == month(english, "Sept.") == month(english, "September") == "September"


@pytest.mark.parametrize("parts", [("25",), ("10", "60"), ("10", "10", "", "60")])
def test_a_time_that_is_none_is_not_read(english, parts):
    assert time(english, *parts) is None
