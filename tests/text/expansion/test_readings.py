"""Numerals and the forms of what they count."""

import pytest

from hf_vits.text.expansion.readings import counted, roman_value

UNITS = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"))
UNITS += ((9, "IX"), (5, "V"), (4, "IV"), (1, "I"))


def roman(number):
    """The usual algorithm in the other direction."""
    for value, letters in UNITS:
        if number >= value:
            return letters + roman(number - value)
    return ""


def test_every_roman_numeral_has_its_value_and_other_letters_have_none():
    assert [roman_value(roman(number)) for number in range(1, 4000)] == list(range(1, 4000))
    assert [roman_value(text) for text in ("", "IIII", "VX", "IC", "abc", "iv")] == [None] * 6


class Code:
    def __init__(self, code):
        self.code = code


@pytest.mark.parametrize(
    ("code", "forms", "expected"),
    [
        ("en", "cat|cats", {"1": "cat", "0": "cats", "2": "cats", "21": "cats"}),
        ("fr", "chat|chats", {"1": "chat", "0": "chat", "2": "chats"}),
        ("ru", "кот|кота|котов", {"1": "кот", "2": "кота", "5": "котов", "11": "котов", "12": "котов", "23": "кота"}),
    ],
)
def test_a_noun_has_the_form_of_its_number(code, forms, expected):
    assert {number: counted(Code(code), ("", number, ""), forms) for number in expected} == expected
