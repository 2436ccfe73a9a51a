"""Metrics that compare with a recording: 0 for the same, a known shift for a shifted one, worse for degraded speech."""

import numpy as np
import pytest

pytest.importorskip("librosa")
import spoken_tones as tones

from hf_vits.evaluation import SpeechEvaluator, Utterance
from hf_vits.evaluation.recording_comparison import WORST

RATE = tones.RATE
METRICS = ["mcd", "f0_rmse", "voicing_error", "duration_ratio"]
RECORDING = Utterance("a e i o", tones.sentence(), RATE)


def figures(waveform, rate=RATE, recording=RECORDING):
    speech = Utterance("a e i o", np.asarray(waveform, np.float32), rate, recording=recording)
    report = SpeechEvaluator(METRICS).measure([speech])
    return {name: estimate.value for name, estimate in report.estimates.items()}


@pytest.mark.thorough
def test_speech_that_is_the_recording_itself_later_has_no_error():
    for waveform in (RECORDING.waveform, np.concatenate([tones.silence(0.3), RECORDING.waveform])):
        found = figures(waveform)
        assert found == pytest.approx({"mcd": 0, "f0_rmse": 0, "voicing_error": 0, "duration_ratio": 1}, abs=0.02)


@pytest.mark.parametrize("semitones", [-4, 3])
def test_a_known_shift_of_f0_is_the_error_in_cents(semitones):
    found = figures(tones.sentence(f0=120 * 2 ** (semitones / 12)))
    assert found["f0_rmse"] == pytest.approx(100 * abs(semitones), abs=15)
    assert found["voicing_error"] < 0.1


def test_the_duration_is_that_of_slower_speech_and_of_nothing_else():
    found = figures(tones.sentence(stretch=1.25))
    assert found["duration_ratio"] == pytest.approx(1.25, abs=0.02)
    assert found["mcd"] < 2.5 and found["f0_rmse"] < 30


def test_vowels_of_other_formants_are_far_and_those_of_another_rate_are_not():
    other = figures(tones.sentence(formants=(2300, 900, 1500, 500)))
    assert other["mcd"] > 3 * figures(tones.sentence(rate=22050, seed=9), 22050)["mcd"]


def test_speech_without_voice_differs_at_every_voiced_frame_and_has_the_greatest_f0_error():
    found = figures(tones.hiss(1.1))
    assert found["f0_rmse"] == WORST == pytest.approx(1200 * np.log2(500 / 60))
    assert found["voicing_error"] > 0.5


def test_speech_that_could_not_be_made_is_compared_as_silence():
    found = figures([])
    assert found["duration_ratio"] == 0 and found["f0_rmse"] == WORST and found["mcd"] > 5


def test_recordings_themselves_and_texts_without_any_are_not_measured():
    report = SpeechEvaluator(METRICS).measure([Utterance("a e i o", tones.sentence(), RATE)])
    assert report.estimates == {} and report.rows == [{"text": "a e i o"}]


DEGRADED = {
    "wrong rate": (tones.sentence(), 11025, METRICS[:2] + METRICS[3:]),
    "swapped vowels": (tones.sentence(formants=(1500, 500, 2300, 900)), RATE, ["mcd"]),
    "noise": (tones.sentence() + 6 * tones.hiss(len(tones.sentence()) / RATE, seed=5), RATE, ["mcd", "voicing_error"]),
}


@pytest.mark.parametrize("kind", DEGRADED)
def test_degraded_speech_ranks_below_in_every_metric_that_should_see_it(kind):
    waveform, rate, metrics = DEGRADED[kind]
    good, degraded = figures(tones.sentence(f0=122, stretch=1.03, seed=20)), figures(waveform, rate)
    evaluator = SpeechEvaluator(METRICS)
    for name in metrics:
        badness = evaluator.metrics[name].badness
        assert badness(degraded[name]) > 1.2 * badness(good[name]), name
