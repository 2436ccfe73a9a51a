import pytest

from hf_vits.text.coqui_cleaners import cardinal, numbers, times
from hf_vits.text.offsets import TextWithOffsets


def tracked(text):
    return TextWithOffsets.original(text, track=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "zero"),
        ("21 cats", "twenty-one cats"),
        ("100", "one hundred"),
        ("999", "nine hundred ninety-nine"),
        ("1000", "one thousand"),
        ("1001", "ten oh one"),
        ("1905", "nineteen oh five"),
        ("1984", "nineteen eighty-four"),
        ("1900", "nineteen hundred"),
        ("2000", "two thousand"),
        ("2007", "two thousand seven"),
        ("2010", "twenty ten"),
        ("3000", "three thousand"),
        ("12,345", "twelve thousand, three hundred forty-five"),
        ("1000000001", "one billion one"),
        ("007", "seven"),
        ("-5", "minus five"),
        ("3.14", "three point fourteen"),
        ("1" + "0" * 35, "one hundred decillion"),
        ("9" * 37, " ".join(["nine"] * 37)),
        ("1st 2nd 3rd 12th 20th", "first second third twelfth twentieth"),
        ("101st", "one hundred and first"),
        ("1000th", "one thousandth"),
        ("$1 and $2", "one dollar and two dollars"),
        ("$5.50", "five dollars fifty cents"),
        ("£0.01", "one penny"),
        ("£1", "one pound sterling"),
        ("¥0", "zero yen"),
        ("$1,000.25", "one thousand dollars twenty-five cents"),
        ("€5", "€five"),
    ],
)
def test_numbers_are_written_as_coquis_voices_heard_them(text, expected):
    assert numbers(tracked(text)).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at 10:30", "at ten thirty a m"),
        ("at 5:05pm", "at five oh five p m"),
        ("at 17:00", "at five p m"),
        ("at 0:15", "at twelve fifteen p m"),  # so do Coqui's
        ("at 5:30 and", "at five thirty a mand"),  # so do Coqui's
        ("at 24:00", "at 24:00"),
    ],
)
def test_times_are_written_as_coquis_voices_heard_them(text, expected):
    assert times(tracked(text)).text == expected


def test_a_number_spans_its_digits():
    text = "in 1999!"
    result = numbers(tracked(text))
    assert [text[start:end] for start, end in result.spans] == [*"in ", *["1999"] * len("nineteen ninety-nine"), "!"]


def test_every_number_below_a_million_is_made_of_its_parts():
    """The words of thousands and of the rest, which grammar joins."""
    for number in range(1001, 1_000_000, 997):
        thousands, rest = divmod(number, 1000)
        joint = ("", " and " if rest < 100 else ", ")[rest > 0]
        assert (
            cardinal(str(number)) == f"{cardinal(str(thousands))} thousand{joint}{cardinal(str(rest)) if rest else ''}"
        )


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["7" * 100_000, "1," * 50_000, "$" * 100_000, "$" + "," * 99_000, "1:00" + " " * 99_000]
)
def test_the_longest_texts_are_read_in_a_moment(text):
    assert times(numbers(TextWithOffsets.original(text, track=False))).text
    assert times(TextWithOffsets.original(text, track=False)).text
