"""Speech at the loudness that is asked for, without a sample or a peak between samples above the limit."""

import errno

import numpy as np
import pytest
from scipy.signal import resample

from hf_vits.data import leveling
from hf_vits.data.leveling import CEILING, leveled_writer, normalize_loudness
from hf_vits.data.loudness import integrated_loudness

RATE = 16_000


def speech(seconds=6.0, level=0.05):
    """Noise below 5 kHz in syllables, whose peaks are 20 dB above its mean."""
    source, size = np.random.default_rng(0), round(seconds * RATE)
    spectrum = np.fft.rfft(source.normal(0, 1, size))
    spectrum[round(len(spectrum) * 5 / 8) :] = 0
    syllables = np.repeat(source.random(size // 1600 + 1), 1600)[:size]
    envelope = np.square(np.sin(np.arange(size) * 4 * np.pi / RATE)) * syllables
    return (level * np.fft.irfft(spectrum, size) * envelope).astype(np.float32)


@pytest.mark.parametrize("loudness", [-35, -23, -16, -13])
@pytest.mark.parametrize("level", [0.01, 0.3])
def test_the_loudness_is_reached_and_no_peak_exceeds_the_limit(loudness, level):
    leveled = normalize_loudness(speech(level=level), RATE, loudness)
    assert integrated_loudness(leveled, RATE) == pytest.approx(loudness, abs=0.1)
    assert np.abs(leveled).max() <= CEILING * (1 + 1e-6)
    assert 20 * np.log10(np.abs(resample(leveled, 8 * len(leveled))).max()) < -0.8


def test_without_a_peak_above_the_limit_the_gain_is_constant():
    samples = speech()
    leveled = normalize_loudness(samples, RATE, -35)
    gain = leveled[1000] / samples[1000]
    np.testing.assert_allclose(leveled, gain * samples, rtol=1e-4, atol=1e-7)


def test_the_limiter_changes_only_the_surroundings_of_a_peak():
    samples = 0.1 * np.sin(np.arange(3 * RATE) / 5)
    samples[RATE] = 0.9
    limited = np.concatenate(list(leveling._limited(iter([samples]), RATE, 2.0)))
    away = np.abs(np.arange(len(samples)) - RATE) > 0.022 * RATE
    np.testing.assert_allclose(limited[away], 2 * samples[away], rtol=0, atol=1e-6)
    assert np.abs(limited).max() == pytest.approx(CEILING, rel=1e-6)
    loud = np.abs(samples) > 0.02
    assert np.abs(np.diff(limited[loud] / (2 * samples[loud]))).max() < 0.05


def test_silence_stays_silence_and_a_length_stays_as_it_is():
    for size in (0, 1, 100, 70_000):
        np.testing.assert_array_equal(normalize_loudness(np.zeros(size), RATE, -16), np.zeros(size))


@pytest.mark.parametrize("cuts", [[], [0, 1, 2, 500, 40_000], list(range(0, 90_000, 777))])
def test_pieces_that_are_written_equal_the_whole(tmp_path, monkeypatch, cuts):
    monkeypatch.setattr(leveling, "BLOCK", 5000)
    samples, written = speech(), []
    with leveled_writer(lambda block: written.append(block.copy()), RATE, -14, tmp_path) as append:
        for part in np.split(samples, cuts):
            append(part)
        assert not written
    np.testing.assert_allclose(np.concatenate(written), normalize_loudness(samples, RATE, -14), rtol=0, atol=1e-6)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("loudness", [-51, -11, float("nan")])
def test_a_loudness_that_makes_no_sense_is_refused(loudness):
    with pytest.raises(ValueError, match="it must be -50 to -12"):
        normalize_loudness(speech(0.5), RATE, loudness)


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(leveling.tempfile, "TemporaryFile", lambda dir: Full())
    with (
        pytest.raises(OSError, match=f"No space is left on the disk of the folder {tmp_path}"),
        leveled_writer(print, RATE, -16, tmp_path) as append,
    ):
        append(np.zeros(4))
