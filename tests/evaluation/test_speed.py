"""The real-time factor is the time of computing, divided by that of speech."""

from types import SimpleNamespace

import numpy as np

from hf_vits.evaluation.base import SentenceScore
from hf_vits.evaluation.speed import FirstSound, RealTimeFactor


def utterance(samples):
    synthesis = SimpleNamespace(seconds=0.5, seconds_to_first_sound=lambda: 0.04)
    return SimpleNamespace(synthesis=synthesis, waveform=np.zeros(samples), sampling_rate=1000)


def test_the_factor_has_both_times_and_the_first_sound_is_in_milliseconds():
    assert RealTimeFactor(None).score(utterance(2000)) == SentenceScore(0.5, 2.0)
    assert FirstSound(None).score(utterance(2000)) == SentenceScore(40.0)
    assert FirstSound(None).score(utterance(0)) == SentenceScore(0.0, 0.0)
