"""Cues of subtitles follow the usual rules."""

import random

import pytest

from hf_vits.text.paragraphs import columns
from hf_vits.timestamps.cues import Word, cues

CHOICE = random.Random(3)


def spoken(*sentences, seconds=0.3, pause=0.4):
    """Words of equal length, and a pause after each sentence."""
    words, at = [], 0.0
    for sentence in sentences:
        parts = sentence.split()
        for i, text in enumerate(parts):
            words.append(Word(f"{text} ", at, at + seconds, i + 1 == len(parts)))
            at += seconds
        at += pause
    return words, at


def random_words(count):
    words, at = [], 0.0
    for _ in range(count):
        at += CHOICE.choice([0, 0.02, 0.3, 1.5])
        end = at + CHOICE.choice([0, 0.1, 0.3, 0.6])
        text = CHOICE.choice("aäxé日") * CHOICE.randint(1, 12) + CHOICE.choice(["", "", "", ",", ".", "!”"])
        words.append(Word(text + " ", at, end, text.endswith((".", "”"))))
        at = end
    return words, at + 1


def test_every_word_is_in_one_cue_and_all_limits_are_kept():
    for _ in range(60):
        words, duration = random_words(CHOICE.randint(1, 60))
        found = cues(words, duration)
        if not any(word.start < word.end for word in words):
            assert found == []
            continue
        text = " ".join(" ".join(cue.text.split("\n")) for cue in found)
        assert text.split() == [word.text.strip() for word in words]
        assert all(before.end <= after.start for before, after in zip(found, found[1:], strict=False))
        for cue in found:
            assert 0 <= cue.start == cue.words[0].start < cue.words[-1].end <= cue.end <= duration
            alone = len(cue.words) == 1
            assert cue.end - cue.start <= 7 + 1e-9 or alone
            lines = cue.text.split("\n")
            assert len(lines) <= 2 and (max(map(columns, lines)) <= 42 or alone)


def test_short_sentences_have_cues_of_their_own_unless_these_would_be_gone_at_once():
    texts = ["This is a sentence of words.", "And this is another one."]
    assert [cue.text for cue in cues(*spoken(*texts))] == texts
    assert [cue.text for cue in cues(*spoken("No.", "Yes, I do.", pause=0.1))] == ["No. Yes, I do."]


def test_a_long_sentence_is_divided_at_its_clause_marks_and_lines_are_about_equal():
    first = "When the man came home in the evening, tired of walking,"
    second = "he found that all of his doors and windows were open."
    found = cues(*spoken(f"{first} {second}", seconds=0.2))
    assert [" ".join(cue.text.split()) for cue in found] == [first, second]
    assert found[0].text.split("\n") == ["When the man came home in the evening,", "tired of walking,"]


def test_a_long_sentence_without_marks_is_divided_in_a_pause():
    words, duration = spoken(" ".join(["word"] * 24), seconds=0.25)
    words = [*words[:13], *(Word(w.text, w.start + 0.3, w.end + 0.3, w.ends_sentence) for w in words[13:])]
    assert [len(cue.words) for cue in cues(words, duration + 0.3)] == [13, 11]


@pytest.mark.parametrize(("next_start", "shown_until"), [(9.0, 3.0), (2.8, 2.8), (3.2, 3.2), (2.0, 2.0)])
def test_a_cue_stays_until_it_can_be_read_or_the_next_one_begins(next_start, shown_until):
    words = [Word("a" * 39 + ". ", 1.0, 2.0, True), Word("b" * 40 + ".", next_start, next_start + 3, True)]
    assert cues(words, 20.0)[0].end == pytest.approx(shown_until)


def test_the_last_cue_ends_with_the_speech():
    assert cues([Word("No.", 0.1, 0.4, True)], 0.6)[0].end == 0.6


def test_words_that_are_not_spoken_are_shown_with_those_beside_them():
    words = [Word("я ", 0, 0), Word("Hello ", 0, 1), Word("я ", 1, 1), Word("world.", 1, 2, True)]
    (cue,) = cues(words, 2)
    assert cue.text == "я Hello я world." and len(cue.words) == 2


def test_the_time_to_divide_a_book_grows_with_its_length():
    from hf_vits.timestamps import cues as module

    counts = []
    for count in (200, 400):
        layout = module._Layout(spoken(*["a few words of a sentence, of two clauses."] * count)[0])
        fits, calls = layout.fits, []
        layout.fits = lambda first, last, fits=fits, calls=calls: calls.append(1) or fits(first, last)
        layout.divided()
        counts.append(len(calls))
    assert counts[1] < 2.1 * counts[0]
