"""The notes on a voice of the original say what is known of its symbols and what is not."""

import pytest
from original_files import original_config, tiny_model, write_original

from hf_vits import convert

PHONEMES = list("_^$ .,?abdeiknostˈˌː")
LETTERS = list("_-' .,?abcdefghiklmn")


def notes_of(folder, symbols, cleaners, mms=False):
    model = tiny_model()
    config = original_config(model, text_cleaners=cleaners)
    if not mms:
        config["symbols"] = symbols
    else:
        (folder / "vocab.txt").write_text("".join(f"{symbol}\n" for symbol in symbols), encoding="utf-8")
    return convert(write_original(folder, model, config=config)).notes


@pytest.mark.parametrize(
    ("symbols", "cleaners", "expected"),
    [(PHONEMES, [], True), (LETTERS, [], False), (PHONEMES, ["english_cleaners2"], False)],
)
def test_phonemes_that_no_cleaner_makes_from_a_text_are_noted(tmp_path, symbols, cleaners, expected):
    notes = notes_of(tmp_path, symbols, cleaners)

    assert any("give the tokenizer phonemes in place of texts" in note for note in notes) == expected


def test_rows_without_a_symbol_are_counted_and_not_taken_for_long_symbols(tmp_path):
    notes = notes_of(tmp_path, [*LETTERS[:17], "", "", "sh"], ["basic_cleaners"])

    assert "Left out, symbols that are not one code point: 'sh'." in notes
    assert "2 of the 20 rows of symbols have none, so that no text uses them." in notes


@pytest.mark.parametrize("mms", [True, False])
def test_fewer_symbols_than_rows_raise_the_question_whether_the_files_belong_together(tmp_path, mms):
    notes = notes_of(tmp_path, LETTERS[:5], [], mms)

    assert any("15 of the 20 rows of symbols" in note and "Only 5 are listed; do the files" in note for note in notes)


def test_a_voice_with_all_its_symbols_has_no_notes_on_them(tmp_path):
    notes = notes_of(tmp_path, LETTERS, ["basic_cleaners"])

    assert not any("rows of symbols" in note or "code point" in note for note in notes)
