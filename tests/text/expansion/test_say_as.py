"""say-as reads a text as its author says; the expected readings are written by hand."""

import pytest

pytest.importorskip("unicode_rbnf")
from hf_vits.text.expansion.say_as import say_as

READ = {
    ("12", "cardinal"): "twelve",
    ("1,234.5", "number"): "one thousand two hundred thirty-four point five",
    ("XIV", "cardinal"): "fourteen",
    ("23rd", "ordinal"): "twenty-third",
    ("3", "ordinal"): "third",
    ("1,000th", "ordinal"): "one thousandth",
    ("XIV", "ordinal"): "fourteenth",
    ("007", "digits"): "zero zero seven",
    ("3/14/2024", "date"): "March fourteenth, twenty twenty-four",
    ("2024-03-14", "date"): "March fourteenth, twenty twenty-four",
    ("14 March 2005", "date"): "March fourteenth, two thousand five",
    ("1905", "date"): "nineteen oh five",
    ("5:30pm", "time"): "five thirty pee em",
    ("17:00", "time"): "seventeen hundred",
    ("5:05", "time"): "five oh five",
    ("5:00", "time"): "five o'clock",
    ("1:02:03", "time"): "one oh two and three seconds",
    ("+1 (555) 867-5309", "telephone"): "plus one, five five five, eight six seven, five three zero nine",
    ("3/4", "fraction"): "three quarters",
    ("2 1/2", "fraction"): "two and a half",
    ("2 3/4", "fraction"): "two and three quarters",
    ("7/13", "fraction"): "seven over thirteen",
    ("5 kg", "unit"): "five kilograms",
    ("$3.50", "currency"): "three dollars and fifty cents",
}


@pytest.mark.parametrize("written, kind", READ)
def test_a_text_is_read_as_its_kind(written, kind):
    assert say_as(written, kind) == READ[written, kind]


@pytest.mark.parametrize(
    ("language", "written", "kind", "read"),
    [
        ("de", "14.3.2024", "date", "vierzehnter März zweitausendvierundzwanzig"),
        ("de", "5:30 pm", "time", "siebzehn Uhr dreißig"),
        ("de", "1/3", "fraction", "ein Drittel"),
        ("de", "2 1/2", "fraction", "zweieinhalb"),
        ("fr", "17:30", "time", "dix-sept heures trente"),
        ("fr", "3/4", "fraction", "trois quarts"),
        ("fr", "1", "ordinal", "premier"),
        ("es", "14/3/2024", "date", "catorce de marzo de dos mil veinticuatro"),
        ("es", "1/3", "fraction", "un tercio"),
        ("es", "5:30 pm", "time", "cinco treinta P M"),
        ("ru", "2024-03-14", "date", "четырнадцатое марта две тысячи двадцать четвёртого года"),
        ("ru", "12 am", "time", "ноль часов"),
        ("ru", "5 кг", "unit", "пять килограммов"),
        ("en-gb", "3/4/2024", "date", "the third of April, twenty twenty-four"),
    ],
)
def test_other_languages_have_their_own_readings(language, written, kind, read):
    assert say_as(written, kind, language) == read


def test_characters_are_read_by_their_names():
    assert say_as("Ab1", "characters") == say_as("Ab1", "spell-out") == "eigh bee one"


def test_the_format_gives_the_order_of_a_date():
    assert say_as("3/4/2024", "date", format="dmy").startswith("April third")
    assert say_as("3/4/2024", "date", format="mdy") == say_as("3/4/2024", "date")
    assert say_as("3/2024", "date", format="mmyyyy") == "March twenty twenty-four"
    assert say_as("3/4", "date", format="dmy") == "April third"


@pytest.mark.parametrize("text", ["13/45/2024", "2/30/2024", "noon", ""])
def test_what_is_no_date_is_an_error_that_shows_it(text):
    with pytest.raises(ValueError, match=f"{text}.* cannot be read as 'date'"):
        say_as(text, "date")


@pytest.mark.parametrize("text", ["1.5", "3,14", "-2", "noon"])
def test_what_is_no_ordinal_is_an_error_that_shows_it(text):
    with pytest.raises(ValueError, match=f"{text}.* cannot be read as 'ordinal'"):
        say_as(text, "ordinal")


def test_an_unknown_kind_is_an_error_with_the_known_ones():
    with pytest.raises(ValueError, match="`ordinal`.* cardinal, ordinal, characters"):
        say_as("3", "ordinall")


def test_a_language_without_rules_is_an_error_with_those_that_have_some():
    with pytest.raises(ValueError, match="'sw', but for.* en"):
        say_as("3", "cardinal", language="sw")
