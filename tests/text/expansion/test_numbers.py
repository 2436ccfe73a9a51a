"""Written numbers are divided into sign, whole part and decimals, in the marks of a language."""

import pytest

from hf_vits.text.expansion.numbers import Numbers, is_one

MARKS = {
    "english": {"thousands_mark": ",", "decimal_mark": r"\."},
    "german": {"thousands_mark": r"\.", "decimal_mark": ","},
}


@pytest.mark.parametrize(
    ("language", "text", "parts"),
    [
        ("english", "-1,234.50", ("-", "1234", "50")),
        ("german", "1.234,5", ("", "1234", "5")),
        ("english", ".5", ("", "", "5")),
        ("english", "−7", ("-", "7", "")),
        ("english", "1.2.3", None),
        ("english", "x", None),
        ("english", "", None),
        ("english", "1" * 61, None),
    ],
)
def test_a_number_has_its_parts_and_what_is_none_has_none(language, text, parts):
    assert Numbers("xx", MARKS[language]).parse(text) == parts


def test_slavic_languages_count_21_as_1_but_not_11():
    assert [number for number in range(130) if is_one(number)] == [1, 21, 31, 41, 51, 61, 71, 81, 91, 101, 121]
