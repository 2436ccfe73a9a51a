"""Similarity is the cosine with the mean of unit embeddings of the speaker's recordings."""

import numpy as np
import pytest

from hf_vits.evaluation import SpeechEvaluator, Utterance


def spoken(*numbers, speaker=None):
    return Utterance("a", np.array(numbers, dtype=np.float32), 16000, speaker)


def test_it_is_the_cosine_with_the_mean_direction_of_the_recordings(options, script):
    evaluator = SpeechEvaluator(["similarity"], options)
    evaluator.prepare([spoken(5, 0), spoken(0, 2)])  # loud and soft recordings count the same: 45 degrees
    rows = evaluator.measure([spoken(3, 3), spoken(1, 0), spoken(-1, 1), spoken(0, 0), spoken()]).rows
    assert [row["similarity"][0] for row in rows] == pytest.approx([1, 2**-0.5, 0, 0, 0], abs=1e-6)


def test_each_speaker_is_compared_with_recordings_of_their_own(options, script):
    evaluator = SpeechEvaluator(["similarity"], options)
    evaluator.prepare([spoken(1, 0, speaker=0), spoken(0, 1, speaker=1)])
    rows = evaluator.measure([spoken(0, 1, speaker=0), spoken(0, 1, speaker=1)]).rows
    assert [row["similarity"][0] for row in rows] == pytest.approx([0, 1])
    assert [row["speaker"] for row in rows] == [0, 1]


def test_without_recordings_of_a_speaker_it_says_so(options, script):
    evaluator = SpeechEvaluator(["similarity"], options)
    with pytest.raises(ValueError, match="recordings of the target, and there are none"):
        evaluator.prepare([])
    evaluator.prepare([spoken(1, 0, speaker=0)])
    with pytest.raises(ValueError, match="no recordings of the speaker 2, only of 0"):
        evaluator.measure([spoken(1, 0, speaker=2)])
