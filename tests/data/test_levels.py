"""The level of speech is that of its loud windows alone."""

import math

import numpy as np
import pytest

from hf_vits.data.levels import speech_level


def test_pauses_do_not_change_the_level_which_is_that_of_the_mean_square():
    sine = 0.5 * np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)
    speech = np.concatenate([np.zeros(8000), sine, np.full(8000, 1e-3)])
    assert speech_level([speech], 16000) == pytest.approx(10 * math.log10(0.5**2 / 2), abs=1e-6)


@pytest.mark.parametrize(("below_db", "is_speech"), [(19.5, True), (20.5, False)])
def test_windows_within_twenty_decibels_of_the_loudest_are_speech(below_db, is_speech):
    quiet = 10 ** (-below_db / 20)
    mean = (1 + quiet**2) / 2 if is_speech else 1.0
    speech = np.concatenate([np.ones(3200), np.full(3200, quiet)])
    assert speech_level([speech], 16000) == pytest.approx(10 * math.log10(mean), abs=1e-9)


@pytest.mark.parametrize("waveforms", [[], [np.zeros(1000)], [np.zeros(0)]])
def test_silence_and_nothing_have_no_level(waveforms):
    assert speech_level(waveforms, 16000) == -math.inf
