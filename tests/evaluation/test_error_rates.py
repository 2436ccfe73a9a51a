"""Word and character error rates: counts by hand, and by the edit distance of a few lines."""

import itertools

import numpy as np
import pytest

from hf_vits.evaluation import SpeechEvaluator, Utterance

pytest.importorskip("jiwer")


def edit_distance(left, right):
    """The fewest substitutions, deletions and insertions, by the recursion itself."""
    if not left or not right:
        return len(left) + len(right)
    return min(
        edit_distance(left[1:], right) + 1,
        edit_distance(left, right[1:]) + 1,
        edit_distance(left[1:], right[1:]) + (left[0] != right[0]),
    )


def test_errors_of_all_sentences_are_divided_by_words_of_all_sentences(options, utter):
    spoken = [utter("one two three four", "one two tree four"), utter("five", "five six seven")]  # 1 and 2 errors
    report = SpeechEvaluator(["wer"], options).measure(spoken)
    assert report.estimates["wer"].value == pytest.approx(3 / 5)  # the mean of 1/4 and 2/1 is another number
    assert [row["wer"] for row in report.rows] == [[1, 4], [2, 1]]
    assert report.rows[0]["transcript"] == "one two tree four"


@pytest.mark.parametrize("metric", ["wer", "cer"])
def test_counts_are_those_of_the_edit_distance(options, utter, metric):
    texts = ["a b", "b a c", "c", "a a b"]
    pairs = list(itertools.product(texts, texts))
    report = SpeechEvaluator([metric], options).measure([utter(text, transcript) for text, transcript in pairs])
    for (text, transcript), row in zip(pairs, report.rows, strict=True):
        left, right = (one.split() if metric == "wer" else one for one in (text, transcript))
        assert row[metric] == [edit_distance(left, right), len(left)]


def test_both_rates_listen_once(options, utter, script):
    SpeechEvaluator(["wer", "cer"], options).measure([utter("one", "one")])
    assert len(script.ScriptedRecognizer.waveforms) == 1


def test_case_and_punctuation_are_no_errors_but_marks_of_letters_are(options, utter):
    report = SpeechEvaluator(["wer"], options).measure([utter("Größe, ja!", "größe JA"), utter("schön", "schon")])
    assert [row["wer"][0] for row in report.rows] == [0, 1]


def test_speech_that_could_not_be_made_has_all_words_wrong_and_no_word_of_an_empty_text(options, script):
    silence = np.zeros(0, np.float32)
    report = SpeechEvaluator(["wer"], options).measure([Utterance("one two", silence, 1), Utterance("…", silence, 1)])
    assert [row["wer"] for row in report.rows] == [[2, 2], [0, 0]]
    assert script.ScriptedRecognizer.waveforms == []
