import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_vits import VitsTokenizer
from hf_vits.text.coqui_cleaners import CLEANERS, clean
from hf_vits.text.offsets import TextWithOffsets

TEXT = 'Dr.  Who: "Å" & (I)\n self-made; 3'
WRITTEN = {
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
"""As coqui-tts 0.28.0 writes it in English."""


def tracked(text):
    return TextWithOffsets.original(text, track=True)


@pytest.mark.parametrize("name", CLEANERS)
def test_a_cleaner_writes_what_coquis_does(name):
    assert clean(tracked(TEXT), name, "en-us").text == WRITTEN[name]


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


def test_a_tokenizer_spells_as_its_cleaner_and_finds_the_places_again(make):
    tokenizer = make(cleaner="english_cleaners", add_blank=False)
    text = " Mr.  Bo; 2 "

    encoding = tokenizer(text, return_offsets_mapping=True)

    assert tokenizer.decode(encoding.input_ids) == "mister bo, two"
    origins = [text[start:end] for start, end in encoding["offset_mapping"]]
    assert origins == [*["Mr."] * 6, "  ", "B", "o", ";", " ", *["2"] * 3]


def test_white_space_at_the_ends_stays_where_the_cleaner_leaves_it(make):
    assert make(cleaner="no_cleaners", add_blank=False).tokenize(" a\n") == [" ", "a"]
    assert make(cleaner="basic_cleaners", add_blank=False).tokenize(" a\n") == ["a"]
    kept = make(cleaner="basic_cleaners", add_blank=False)
    assert kept.tokenize("£ a") == [" ", "a"]  # what is dropped afterwards leaves its space, as in Coqui


def test_a_cleaner_that_stock_transformers_does_not_have_is_saved_for_this_package(make, tmp_path):
    make(cleaner="multilingual_cleaners").save_pretrained(tmp_path / "saved")

    config = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())

    assert config["tokenizer_class"] == "HfVitsTokenizer"
    assert VitsTokenizer.from_pretrained(tmp_path / "saved")("A-b").input_ids == [0, 1, 0, 32, 0, 2, 0]


def test_raw_phonemes_are_not_spelled_and_keep_their_distance(make, monkeypatch):
    from hf_vits.text import espeak

    def themselves(texts, voice):
        return [[espeak.Clause(0, len(text), text.strip())] for text in texts]

    monkeypatch.setattr(espeak, "clauses_of", themselves)
    tokenizer = make(cleaner="phoneme_cleaners", add_blank=False)
    tokenizer.phonemize = True

    assert "".join(tokenizer.tokenize("Dr. A; [[B]] (c)")) == "doctor A, B c"
