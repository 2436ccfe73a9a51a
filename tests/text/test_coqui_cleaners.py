import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_vits import VitsTokenizer
from hf_vits.text.coqui_cleaners import CLEANERS, cardinal, clean, numbers, times
from hf_vits.text.offsets import TextWithOffsets

TEXT = 'Dr.  Who: "Å" & (I)\n self-made; 3'
EXPECTED = {
    "basic_cleaners": 'dr. who: "å" & (i) self-made; 3',
    "transliteration_cleaners": 'dr. who: "å" & (i) self-made; 3',
    "basic_german_cleaners": 'dr. who: "å" & (i) self-made; 3',
    "basic_turkish_cleaners": 'dr. who: "å" & (ı) self-made; 3',
    "english_cleaners": "doctor who, å and i self made, three",
    "phoneme_cleaners": "doctor Who, Å and I self made, three",
    "multilingual_cleaners": "dr. who, å and i self made, 3",
    "multilingual_phoneme_cleaners": "Dr. Who, Å and I self made, 3",
    "french_cleaners": "doctor who, å and i self made, 3",
    "portuguese_cleaners": "dr. who, å and i self made, 3",
    "no_cleaners": 'Dr.  Who: "Å" & (I) self-made; 3',
}
"""Output of coqui-tts 0.28.0 for English."""


def tracked(text):
    return TextWithOffsets.original(text, track=True)


@pytest.mark.parametrize("name", CLEANERS)
def test_a_cleaner_has_the_output_of_coquis(name):
    assert clean(tracked(TEXT), name, "en-us").text == EXPECTED[name]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr-fr", "monsieur l'amic et co, self made, qui, etc."),
        ("pt-br", "M. l'amic e co, self made, qui, etc."),
        ("ca", "M. lamic i co, selfmade, qui, etc."),
        ("el", "M. l'amic & co, self made; qui, etc."),
        ("de", "M. l'amic & co, self made, qui, etc."),
    ],
)
def test_marks_and_abbreviations_are_those_of_the_language(language, expected):
    expected = expected.replace("etc.", "et cetera") if language == "fr-fr" else expected

    assert clean(tracked("M. l'amic & co: self-made; qui, etc."), "phoneme_cleaners", language).text == expected


@given(st.text(max_size=40), st.sampled_from(sorted(CLEANERS)), st.sampled_from(["en", "fr", "ca"]))
def test_every_character_spans_a_part_of_the_text_in_its_order(text, name, language):
    result = clean(tracked(text), name, language)

    assert result.text == clean(TextWithOffsets.original(text, False), name, language).text
    assert len(result.spans) == len(result.text)
    assert all(0 <= start <= end <= len(text) for start, end in result.spans)
    assert [start for start, _ in result.spans] == sorted(start for start, _ in result.spans)


@pytest.fixture
def make(tmp_path):
    def make(**options):
        symbols = {symbol: index for index, symbol in enumerate("_abcdefghijklmnopqrstuvwxyzABCDE ,.!")}
        (tmp_path / "vocab.json").write_text(json.dumps(symbols))
        return VitsTokenizer(str(tmp_path / "vocab.json"), pad_token="_", normalize=False, phonemize=False, **options)

    return make


def test_a_tokenizer_applies_its_cleaner_and_keeps_offsets(make):
    tokenizer = make(cleaner="english_cleaners", add_blank=False)
    text = " Mr.  Bo; 2 "

    encoding = tokenizer(text, return_offsets_mapping=True)

    assert tokenizer.decode(encoding.input_ids) == "mister bo, two"
    origins = [text[start:end] for start, end in encoding["offset_mapping"]]
    assert origins == [*["Mr."] * 6, "  ", "B", "o", ";", " ", *["2"] * 3]


def test_white_space_at_the_ends_is_kept_if_the_cleaner_keeps_it(make):
    assert make(cleaner="no_cleaners", add_blank=False).tokenize(" a\n") == [" ", "a"]
    assert make(cleaner="basic_cleaners", add_blank=False).tokenize(" a\n") == ["a"]
    kept = make(cleaner="basic_cleaners", add_blank=False)
    assert kept.tokenize("£ a") == [" ", "a"]  # what is dropped afterwards leaves its space, as in Coqui


def test_a_cleaner_that_transformers_does_not_have_is_saved_for_this_package(make, tmp_path):
    make(cleaner="multilingual_cleaners").save_pretrained(tmp_path / "saved")

    config = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())

    assert config["tokenizer_class"] == "HfVitsTokenizer"
    assert VitsTokenizer.from_pretrained(tmp_path / "saved")("A-b").input_ids == [0, 1, 0, 32, 0, 2, 0]


def test_phoneme_blocks_are_not_cleaned_and_keep_their_spaces(make, monkeypatch):
    from hf_vits.text import espeak

    def themselves(texts, voice):
        return [[espeak.Clause(0, len(text), text.strip())] for text in texts]

    monkeypatch.setattr(espeak, "clauses_of", themselves)
    tokenizer = make(cleaner="phoneme_cleaners", add_blank=False)
    tokenizer.phonemize = True

    assert "".join(tokenizer.tokenize("Dr. A; [[B]] (c)")) == "doctor A, B c"


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
def test_numbers_are_written_as_in_the_training_of_coquis_models(text, expected):
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
def test_times_are_written_as_in_the_training_of_coquis_models(text, expected):
    assert times(tracked(text)).text == expected


def test_a_number_spans_its_digits():
    text = "in 1999!"
    result = numbers(tracked(text))
    assert [text[start:end] for start, end in result.spans] == [*"in ", *["1999"] * len("nineteen ninety-nine"), "!"]


def test_every_number_below_a_million_consists_of_its_parts():
    """Oracle: the words of the thousands and of the rest."""
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
def test_numbers_of_the_longest_texts_take_linear_time(text):
    assert times(numbers(TextWithOffsets.original(text, track=False))).text
    assert times(TextWithOffsets.original(text, track=False)).text
