"""Loudness by the recommendation's own figures, by EBU's test signals, and by another implementation."""

import numpy as np
import pytest
from scipy.signal import lfilter, resample

from hf_vits.data.loudness import LoudnessMeter, integrated_loudness, true_peaks

RATE = 48_000
SHELF = [1.53512485958697, -2.69169618940638, 1.19839281085285], [1.0, -1.69065929318241, 0.73248077421585]
HIGH_PASS = [1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621]
"""Coefficients at 48 kHz, as ITU-R BS.1770 prints them."""


def sine(decibels, seconds, rate=RATE, hertz=1000):
    return 10 ** (decibels / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def noise(rate, seconds=4.3, seed=0):
    source, size = np.random.default_rng(seed), round(seconds * rate)
    return source.normal(0, 0.1, size) * np.repeat(source.random(430), size // 430 + 1)[:size]


def by_the_text(samples):
    """The loudness at 48 kHz as the recommendation describes it."""
    squares = np.square(lfilter(*HIGH_PASS, lfilter(*SHELF, samples)))
    blocks = np.array([squares[start : start + 19200].mean() for start in range(0, len(samples) - 19199, 4800)])
    loudness = -0.691 + 10 * np.log10(blocks)
    gated = blocks[loudness > -70]
    return -0.691 + 10 * np.log10(blocks[loudness > -0.691 + 10 * np.log10(gated.mean()) - 10].mean())


def test_loudness_is_that_of_the_filters_and_gates_of_the_recommendation():
    for seed in range(3):
        samples = noise(RATE, seed=seed)
        assert integrated_loudness(samples, RATE) == pytest.approx(by_the_text(samples), abs=1e-6)


@pytest.mark.parametrize(
    "parts",
    [
        [(-23, 4)],
        [(-33, 4)],
        [(-36, 2), (-23, 12), (-36, 2)],
        [(-72, 2), (-36, 2), (-23, 12), (-36, 2), (-72, 2)],
        [(-26, 10), (-20.1, 10.05), (-26, 10)],
    ],
)
def test_the_signals_of_ebu_tech_3341_have_their_loudness(parts):
    """In one channel instead of two, so 3 LU less."""
    expected = -33 if parts == [(-33, 4)] else -23
    samples = np.concatenate([sine(decibels, seconds) for decibels, seconds in parts])
    assert integrated_loudness(samples, RATE) == pytest.approx(expected - 10 * np.log10(2), abs=0.1)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_another_implementation_finds_the_same_loudness(rate):
    pyloudnorm = pytest.importorskip("pyloudnorm")
    samples = noise(rate)
    expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(samples)
    assert integrated_loudness(samples, rate) == pytest.approx(expected, abs=0.02)


def test_pieces_have_the_loudness_of_the_whole():
    samples, meter = noise(22_050), LoudnessMeter(22_050)
    for part in np.split(samples, [0, 1, 2, 2000, 2205, 50_000, len(samples) - 1]):
        meter.add(part)
    assert meter.loudness == pytest.approx(integrated_loudness(samples, 22_050), abs=1e-9)


def test_silence_has_no_loudness_and_a_short_sound_has_one():
    assert integrated_loudness(np.zeros(0), RATE) == integrated_loudness(np.zeros(RATE), RATE) == -np.inf
    assert integrated_loudness(sine(-20, 0.3, hertz=997), RATE) == pytest.approx(-23.0, abs=0.2)


@pytest.mark.parametrize("frequency", [0.05, 0.25, 0.37])
def test_a_true_peak_lies_between_the_samples(frequency):
    samples = np.sin(2 * np.pi * frequency * np.arange(4000) + np.pi / 4) * np.hanning(4000)
    between = np.abs(resample(samples, 4 * len(samples)))
    expected = np.array([between[max(0, 4 * i - 3) : 4 * i + 4].max() for i in range(len(samples))])
    np.testing.assert_allclose(true_peaks(samples), expected, rtol=0, atol=2e-3)
