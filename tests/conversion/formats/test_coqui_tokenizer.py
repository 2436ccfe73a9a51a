"""The tokenizer of a Coqui voice has its symbols, in the order of their ids."""

import pytest
from coqui_files import write_voice

from hf_vits.conversion import convert

LETTERS = {"use_phonemes": False, "phonemizer": None, "text_cleaner": "basic_cleaners"}


SORTED = {
    "characters_class": "TTS.tts.utils.text.characters.Graphemes",
    "pad": "P",
    "eos": "E",
    "bos": "B",
    "blank": "#",
    "punctuations": "!. ",
    "characters": "cbalkjihgfedcm",
    "is_unique": True,
    "is_sorted": True,
}


@pytest.fixture
def model(make_model):
    return make_model(flow_size=16)


@pytest.fixture
def tokenizer_with(model, tmp_path):
    return lambda **changes: convert(write_voice(tmp_path, model, {**LETTERS, **changes})).tokenizer


def test_the_symbols_of_vits_are_pad_marks_letters_phonemes_and_blank(tokenizer_with):
    tokenizer = tokenizer_with()

    assert tokenizer("Ba !ɪ").input_ids == [19, 7, 19, 6, 19, 5, 19, 1, 19, 18, 19]
    assert tokenizer.decode(tokenizer("ba !ɪ").input_ids) == "ba !ɪ"


def test_the_symbols_of_other_classes_are_special_ones_sorted_letters_and_marks(tokenizer_with):
    framed = {"characters": SORTED, "enable_eos_bos_chars": True}

    assert tokenizer_with(**framed)("B a").input_ids == [2, 3, 5, 3, 19, 3, 4, 3, 1]
    assert tokenizer_with(**framed, add_blank=False)("B a").input_ids == [2, 5, 19, 4, 1]
    assert tokenizer_with(characters=SORTED)("B a").input_ids == [3, 5, 3, 19, 3, 4, 3]


def test_symbols_in_an_order_of_their_own_may_repeat_and_have_their_later_id(tokenizer_with):
    unsorted = SORTED | {"is_unique": False, "is_sorted": False, "characters": "cbalkjihgfedc"}

    assert tokenizer_with(characters=unsorted)("bc").input_ids == [3, 5, 3, 16, 3]


def test_symbols_whose_order_cannot_be_known_or_that_lack_a_frame_are_refused(tokenizer_with):
    with pytest.raises(ValueError, match="numbers the symbols differently in every run"):
        tokenizer_with(characters=SORTED | {"is_sorted": False})
    unframed = SORTED | {"eos": None, "punctuations": "!., "}
    with pytest.raises(ValueError, match="`characters.eos` in .* is not set"):
        tokenizer_with(characters=unframed, enable_eos_bos_chars=True)


def test_symbols_that_are_not_those_of_the_embedding_are_refused(tokenizer_with):
    with pytest.raises(ValueError, match="lists 19 symbols, but the embedding has 20 rows"):
        tokenizer_with(**{"characters.characters": "abcdefg"})


def test_a_class_of_symbols_that_is_its_owners_code_gives_no_tokenizer(model, tmp_path):
    voice = convert(write_voice(tmp_path, model, {"characters.characters_class": "my.symbols.Mine"}))

    assert voice.tokenizer is None
    assert "`characters.characters_class` is Mine" in " ".join(voice.notes)


def test_phonemes_are_those_of_espeak_and_others_are_noted(model, tmp_path):
    tokenizer = convert(write_voice(tmp_path, model)).tokenizer

    assert (tokenizer.phonemize, tokenizer.phoneme_language, tokenizer.cleaner) == (True, "en-us", "phoneme_cleaners")
    assert "gruut's, and are espeak's here" in " ".join(
        convert(write_voice(tmp_path, model, {"phonemizer": "gruut"})).notes
    )
    japanese = convert(write_voice(tmp_path, model, {"phonemizer": None, "phoneme_language": "ja-jp"}))
    assert not japanese.tokenizer.phonemize
    assert "those of ja_jp_phonemizer, which is not here" in " ".join(japanese.notes)
    assert japanese.tokenizer("ˈæ").input_ids == [19, 16, 19, 15, 19]
    unknown = convert(write_voice(tmp_path, model, {"text_cleaner": "my_cleaners"}))
    assert "my_cleaners, is not known here" in " ".join(unknown.notes)
