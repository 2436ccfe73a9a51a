"""Times of units, from frames of tokens."""

import random

import pytest

from hf_vits.timestamps.tokens import BLANK, END, SentenceTokens, time_units


def spoken(text, *sounds):
    """A sentence with BOS, a blank around each of the sounds (symbol, start, end), and EOS."""
    symbols, spans = [END, BLANK], [(0, 0), (0, 0)]
    for symbol, start, end in sounds:
        symbols += [symbol, BLANK]
        spans += [(start, end), (start, end)]
    return SentenceTokens(text, [*symbols, END], [*spans, (len(text), len(text))])


def letters(text):
    return spoken(text, *((letter, i, i + 1) for i, letter in enumerate(text)))


def test_a_word_lasts_from_its_first_sound_to_the_blank_after_its_last():
    # BOS 5, blank 4; a 1 blank 2, b 3 blank 1; space 7 blank 2; c 2 blank 1; mark 9 blank 1; EOS 6
    frames = [5, 4, 1, 2, 3, 1, 7, 2, 2, 1, 9, 1, 6]
    assert time_units("word", letters("ab c."), frames, 10) == [("ab", 90, 160), ("c.", 250, 280)]
    assert time_units("phoneme", letters("ab c."), frames, 10) == [("a", 90, 120), ("b", 120, 160), ("c", 250, 280)]
    assert time_units("character", letters("ab c."), frames, 10)[-1] == (".", 280, 380)
    assert time_units("sentence", letters("ab c."), frames, 10) == [("ab c.", 0, 440)]


def test_every_frame_belongs_to_the_word_that_a_search_over_all_frames_finds():
    choice = random.Random(7)
    for _ in range(200):
        text = " ".join("".join(choice.choices("abc'", k=choice.randint(1, 5))) for _ in range(choice.randint(1, 5)))
        sentence = letters(text)
        frames = [choice.randint(1, 4) for _ in sentence.symbols]
        owners = []  # of each frame: the place of its letter, None for pauses
        for i, (symbol, count) in enumerate(zip(sentence.symbols, frames, strict=True)):
            spoken = sentence.symbols[i - 1] if symbol == BLANK and i else symbol
            owners += [(i - 2) // 2 if spoken and spoken.isalpha() else None] * count
        place = 0
        for word, start, end in time_units("word", sentence, frames, 1):
            place = text.index(word, place)
            inside = [f for f, owner in enumerate(owners) if owner is not None and place <= owner < place + len(word)]
            assert (start, end) == (inside[0], inside[-1] + 1)
            place += len(word)


def test_words_that_are_read_as_one_share_its_time_by_their_letters():
    sentence = spoken("of the", ("ʌ", 0, 6), ("v", 0, 6), ("ð", 0, 6), ("ə", 0, 6))
    frames = [3, 1, *[2, 3] * 4, 4]
    assert time_units("word", sentence, frames, 10) == [("of", 40, 120), ("the", 120, 240)]
    assert [time[1:] for time in time_units("character", sentence, frames, 10)] == [
        (40, 80), (80, 120), (120, 160), (160, 200), (200, 240),
    ]  # fmt: skip


def test_a_number_that_is_read_as_several_words_is_one():
    sentence = spoken("a 42!", ("ɐ", 0, 1), (" ", 1, 2), ("f", 2, 4), (" ", 2, 4), ("t", 2, 4), ("!", 4, 5))
    times = time_units("word", sentence, [0, 0, *[1, 1] * 6, 0], 1)
    assert times == [("a", 0, 2), ("42!", 4, 10)]
    assert time_units("character", sentence, [0, 0, *[1, 1] * 6, 0], 1)[1:] == [
        ("4", 4, 7),
        ("2", 7, 10),
        ("!", 10, 12),
    ]


def test_a_word_without_sound_has_an_empty_time_where_the_one_before_it_ends():
    text = "я a я b"
    sentence = spoken(text, ("a", 2, 3), (" ", 5, 6), ("b", 6, 7))
    times = time_units("word", sentence, [1, 1, *[1, 1] * 3, 1], 1)
    assert times == [("я", 2, 2), ("a", 2, 4), ("я", 4, 4), ("b", 6, 8)]
    assert time_units("word", SentenceTokens("no token"), (), 1) == [("no", 0, 0), ("token", 0, 0)]


@pytest.mark.parametrize(("sound", "listed"), [("æ", True), (",", False)])
def test_a_mark_on_its_own_is_a_word_only_if_it_is_read(sound, listed):
    sentence = spoken("a * b", ("a", 0, 1), (" ", 1, 2), (sound, 2, 3), (" ", 3, 4), ("b", 4, 5))
    found = [word for word, _, _ in time_units("word", sentence, [1] * 13, 1)]
    assert found == (["a", "*", "b"] if listed else ["a", "b"])


def test_marks_of_stress_length_and_tone_are_parts_of_a_phoneme():
    symbols = "ˈaː tʃʰni2 tɕ͡a"
    sentence = spoken("abc", *((symbol, 0, 3) for symbol in symbols))
    found = [symbol for symbol, _, _ in time_units("phoneme", sentence, [1] * len(sentence.symbols), 1)]
    assert found == ["ˈaː", "t", "ʃʰ", "n", "i2", "t", "ɕ͡a"]


def test_digits_of_a_text_of_letters_are_no_tones():
    found = time_units("phoneme", letters("a2"), [1] * 7, 1)
    assert [symbol for symbol, _, _ in found] == ["a", "2"]


def test_a_clause_that_is_not_aligned_gives_its_words_shares_in_order():
    text = "one “two” — three"
    sentence = spoken(text, *((symbol, 0, len(text)) for symbol in "wʌn tu θɹi"))
    times = time_units("word", sentence, [0, 0, *[1, 1] * 10, 0], 11)
    assert times == [("one", 0, 60), ("“two”", 60, 120), ("three", 120, 220)]
