"""Pitch is changed by exactly what is asked for, in the spans that ask for it, and nowhere else."""

import numpy as np
import pytest

from hf_vits.prosody.fundamental import STEP, fundamental_frequency
from hf_vits.prosody.pitch import change_pitch
from hf_vits.prosody.script import Pitch

RATE = 16_000


def voice(f0, seconds=1.0, rate=RATE):
    """Speech of known F0, a number or an array of one per sample: glottal pulses through three resonances."""
    samples = round(seconds * rate)
    phase = np.cumsum(np.broadcast_to(f0, samples) / rate)
    pulses = np.diff(np.floor(phase), prepend=0).clip(0)
    signal = pulses - 0.97 * np.concatenate([[0], pulses[:-1]])
    time = np.arange(round(0.03 * rate)) / rate
    for hertz in (700, 1200, 2500):
        signal = np.convolve(signal, np.exp(-400 * time) * np.cos(2 * np.pi * hertz * time))[:samples]
    return (0.3 * signal / np.abs(signal).max()).astype(np.float32)


def measured(samples, rate=RATE):
    """F0 by librosa's pYIN, an independent meter."""
    librosa = pytest.importorskip("librosa")
    f0, voiced, _ = librosa.pyin(
        samples, fmin=60, fmax=500, sr=rate, frame_length=1024, hop_length=160, resolution=0.05
    )
    return np.where(voiced, f0, np.nan)


@pytest.mark.parametrize("f0", [70, 110, 200, 330])
def test_the_f0_of_a_known_voice_is_found(f0):
    found = fundamental_frequency(voice(f0), RATE)[10:-10]
    assert (np.abs(12 * np.log2(found / f0)) < 0.1).all()


def test_a_gliding_f0_is_found_where_it_is():
    f0 = np.linspace(100, 180, RATE)
    found = fundamental_frequency(voice(f0), RATE)[10:-10]
    expected = f0[(np.arange(10, 10 + len(found)) * STEP * RATE).astype(int)]
    assert np.abs(12 * np.log2(found / expected)).max() < 0.4


def test_noise_and_silence_have_no_f0_and_stay_as_they_are():
    noise = (0.1 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)
    assert (fundamental_frequency(noise, RATE) > 0).mean() < 0.2
    silence = np.zeros(RATE // 2, dtype=np.float32)
    np.testing.assert_array_equal(change_pitch(silence, RATE, [(Pitch(4.0), 0, len(silence))]), silence)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("semitones", [2.0, -2.0, 4.0, -5.0, 7.0])
def test_a_shift_is_within_a_fifth_of_a_semitone(semitones):
    samples = voice(120)
    changed = change_pitch(samples, RATE, [(Pitch(semitones), 0, len(samples))])
    assert len(changed) == len(samples) and changed.dtype == np.float32
    found = np.nanmedian(12 * np.log2(measured(changed)[10:-10] / 120))
    assert abs(found - semitones) < 0.2
    assert 0.7 < changed.std() / samples.std() < 1.4


def test_only_the_span_that_asks_for_it_is_changed():
    samples = voice(120)
    spans = [(Pitch(), 0, 5000), (Pitch(4.0), 5000, 10_000), (Pitch(), 10_000, len(samples))]
    changed = change_pitch(samples, RATE, spans)
    np.testing.assert_array_equal(changed[:4800], samples[:4800])
    np.testing.assert_array_equal(changed[10_200:], samples[10_200:])
    inside = 12 * np.log2(measured(changed)[37:57] / 120)
    assert abs(np.nanmedian(inside) - 4) < 0.2


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("pitch", "median"),
    [(Pitch(median=180.0), 180), (Pitch(hertz=30.0), 150), (Pitch(2.0, hertz=-20.0), 100 * 2 ** (2 / 12))],
)
def test_hertz_are_those_of_the_median(pitch, median):
    samples = voice(120)
    found = measured(change_pitch(samples, RATE, [(pitch, 0, len(samples))]))[10:-10]
    assert abs(12 * np.log2(np.nanmedian(found) / median)) < 0.2


def spread_of(f0):
    return np.nanstd(12 * np.log2(f0[15:-15]))


@pytest.mark.thorough
@pytest.mark.parametrize("spread", [0.5, *(pytest.param(spread, marks=pytest.mark.slow) for spread in (0.0, 1.5))])
def test_the_spread_multiplies_the_distance_from_the_median(spread):
    f0 = 130 * 2 ** (2 * np.sin(np.linspace(0, 12, 2 * RATE)) / 12)
    samples = voice(f0, 2.0)
    changed = measured(change_pitch(samples, RATE, [(Pitch(spread=spread), 0, len(samples))]))
    assert abs(spread_of(changed) - spread * spread_of(measured(samples))) < 0.2
    low, high = np.nanquantile(changed[15:-15], (0.05, 0.95))
    assert abs(12 * np.log2(np.sqrt(low * high) / 130)) < 0.3


@pytest.mark.thorough
def test_a_range_in_hertz_is_that_between_highest_and_lowest():
    f0 = 150 + 30 * np.sin(np.linspace(0, 12, 2 * RATE))
    changed = measured(change_pitch(voice(f0, 2.0), RATE, [(Pitch(range_hertz=20.0), 0, 2 * RATE)]))[15:-15]
    low, high = np.nanquantile(changed, (0.05, 0.95))
    assert abs(high - low - 20) < 6
