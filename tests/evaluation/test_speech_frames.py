"""Mel-cepstra, F0 and alignment: closed forms, brute force, and what must not matter."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("librosa")
import spoken_tones as tones

from hf_vits.evaluation.speech_frames import COEFFICIENTS, HOP, AlignedFrames, SpeechFrames, mel_cepstra

RATE = tones.RATE


@pytest.mark.parametrize("order", [1, 5, COEFFICIENTS, COEFFICIENTS + 1])
def test_spectra_that_differ_by_a_cosine_have_its_root_mean_square_as_distance(order):
    """A cosine of 6 dB over the mel bands has the root mean square of 6 / √2 dB; one that is too fine has none."""
    bands = np.arange(80)
    levels = np.random.default_rng(0).normal(-30, 10, (80, 4))
    other = levels + 6 * np.cos(np.pi * order * (bands + 0.5) / 80)[:, None]
    distances = np.linalg.norm(mel_cepstra(levels) - mel_cepstra(other), axis=0)
    assert distances == pytest.approx([6 / np.sqrt(2) if order <= COEFFICIENTS else 0] * 4, abs=1e-9)


def test_loudness_and_silence_at_the_ends_do_not_matter():
    speech = tones.sentence()
    other = np.concatenate([tones.silence(0.2), speech / 3, tones.silence(0.31)])
    plain, framed = SpeechFrames(speech, RATE), SpeechFrames(other, RATE)
    assert framed.seconds == pytest.approx(plain.seconds, abs=0.03)
    assert AlignedFrames(plain, framed).cepstral_distances.mean() < 0.5
    louder = AlignedFrames(plain, SpeechFrames(speech / 3, RATE))
    assert louder.cepstral_distances == pytest.approx(np.zeros(len(plain.f0)), abs=1e-3)


def test_alignment_is_the_cheapest_of_all_monotonic_paths():
    noise = np.random.default_rng(1)
    one, other = SpeechFrames(tones.silence(0), RATE), SpeechFrames(tones.silence(0), RATE)
    one.cepstra, other.cepstra = noise.normal(size=(COEFFICIENTS, 5)), noise.normal(size=(COEFFICIENTS, 6))
    distances = np.linalg.norm(one.cepstra[:, :, None] - other.cepstra[:, None], axis=0)

    @cache
    def cheapest(i, j):
        if i == j == 0:
            return distances[0, 0]
        before = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
        return distances[i, j] + min(cheapest(*pair) for pair in before if min(pair) >= 0)

    aligned = AlignedFrames(one, other)
    assert aligned.cepstral_distances.sum() == pytest.approx(cheapest(4, 5))
    assert aligned.path[0].tolist() == [0, 0] and aligned.path[-1].tolist() == [4, 5]


def test_f0_is_that_of_the_voiced_parts_and_missing_elsewhere():
    waveform = np.concatenate([tones.vowel(0.5, 137.0, 700), tones.hiss(0.5)]).astype(np.float32)
    f0 = SpeechFrames(waveform, RATE).f0
    voiced, unvoiced = f0[5:45], f0[60:95]
    assert np.abs(1200 * np.log2(voiced / 137.0)).max() < 15  # cents; it searches in steps of 10
    assert np.isnan(unvoiced).all()


def test_silence_and_speech_shorter_than_a_window_have_frames_of_one_number():
    for waveform in (tones.silence(0), tones.silence(1), tones.vowel(0.01, 120, 500).astype(np.float32)):
        frames = SpeechFrames(waveform, RATE)
        assert frames.mel.shape[1] == frames.cepstra.shape[1] == len(frames.f0) >= 1
    assert SpeechFrames(tones.silence(1), RATE).seconds == 0 and np.isnan(SpeechFrames(tones.silence(1), RATE).f0[0])


def test_frames_are_ten_milliseconds_at_any_rate():
    for rate in (16000, 22050, 44100):
        frames = SpeechFrames(tones.vowel(1.0, 120, 500, rate).astype(np.float32), rate)
        assert frames.mel.shape[1] == pytest.approx(16000 / HOP, abs=2) and frames.seconds == pytest.approx(1, abs=0.02)
