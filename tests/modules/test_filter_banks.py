"""The inverse STFT, and the filter bank that divides a waveform into sub-bands and merges them."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import firwin, lfilter

from hf_vits.modules.filter_banks import (
    InverseStft,
    band_filters,
    frames_around,
    inverse_basis,
    merge_bands,
    split_bands,
)

SIZES = [(16, 4, 6), (16, 4, 8), (12, 6, 3), (32, 8, 12), (10, 2, 4)]


def brute_force(spectrum, size, hop, trim, absent=()):
    """Frame by frame with NumPy: windowed inverse transforms, added up and divided by the sum of squared windows."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    count = spectrum.shape[1]
    total, weight = np.zeros((count - 1) * hop + size), np.zeros((count - 1) * hop + size)
    for frame in range(count):
        if frame not in absent:
            place = slice(frame * hop, frame * hop + size)
            total[place] += np.fft.irfft(spectrum[:, frame], size) * window
            weight[place] += window**2
    return (total / np.maximum(weight, 1e-8))[trim : len(total) - trim]


@pytest.fixture
def make_spectrum():
    def make(size, frames=9):
        noise = np.random.default_rng(0)
        return noise.standard_normal((size // 2 + 1, frames)) + 1j * noise.standard_normal((size // 2 + 1, frames))

    return make


def parts(spectrum):
    return torch.from_numpy(spectrum.real)[None], torch.from_numpy(spectrum.imag)[None]


@pytest.mark.parametrize(("size", "hop", "trim"), SIZES)
def test_the_inverse_stft_adds_windowed_frames_and_divides_by_the_squared_windows(make_spectrum, size, hop, trim):
    spectrum = make_spectrum(size)
    samples = InverseStft(size, hop, trim)(*parts(spectrum))
    np.testing.assert_allclose(samples[0, 0].numpy(), brute_force(spectrum, size, hop, trim), rtol=0, atol=1e-12)


def test_the_spectrogram_of_a_signal_gives_the_signal():
    size, hop, trim = 16, 4, 6
    signal = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(size, dtype=torch.float64)
    spectrum = torch.stft(signal, size, hop, window=window, center=False, return_complex=True)
    again = InverseStft(size, hop, trim)(spectrum.real[None], spectrum.imag[None])
    torch.testing.assert_close(again[0, 0], signal[trim : trim + again.shape[-1]], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "hop", "trim"), SIZES)
def test_masked_frames_count_as_absent(make_spectrum, size, hop, trim):
    spectrum, mask = make_spectrum(size), torch.ones(1, 1, 9, dtype=torch.float64)
    mask[..., 6:] = 0
    samples = InverseStft(size, hop, trim)(*parts(spectrum), mask)[0, 0]
    expected = brute_force(spectrum, size, hop, trim, absent=(6, 7, 8))
    np.testing.assert_allclose(samples.numpy(), expected, rtol=0, atol=1e-9)
    shorter = InverseStft(size, hop, trim)(*parts(spectrum[:, :6]))[0, 0]
    torch.testing.assert_close(samples[: len(shorter)], shorter, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [2, 10, 16])
def test_the_basis_is_the_inverse_transform(make_spectrum, size):
    spectrum = make_spectrum(size)
    cosine, sine = inverse_basis(size)
    frames = cosine.T @ torch.from_numpy(spectrum.real) + sine.T @ torch.from_numpy(spectrum.imag)
    np.testing.assert_allclose(frames.numpy(), np.fft.irfft(spectrum, size, axis=0), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "hop", "trim"), SIZES)
def test_a_traced_graph_gives_the_same_samples(make_spectrum, size, hop, trim):
    inverse, given = InverseStft(size, hop, trim), parts(make_spectrum(size))
    traced = torch.jit.trace(inverse, given)
    assert "fft_irfft" not in str(traced.inlined_graph)
    longer = parts(make_spectrum(size, frames=31))
    for pair in (given, longer):
        torch.testing.assert_close(traced(*pair), inverse(*pair), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "hop", "trim"), SIZES)
def test_the_frames_around_are_those_that_a_change_reaches(make_spectrum, size, hop, trim):
    real, imaginary = parts(make_spectrum(size, frames=21))
    inverse, reached = InverseStft(size, hop, trim), set()
    for frame in range(5, 16):
        changed = real.clone()
        changed[..., frame] += torch.arange(size // 2 + 1).square()  # no impulse, which the window may hide
        samples = (inverse(changed, imaginary) - inverse(real, imaginary))[0, 0].abs() > 1e-9
        reached |= {int(sample) // hop - frame for sample in samples.nonzero()}
    assert max(map(abs, reached)) == frames_around(size, hop, trim)


def filters(sign):
    """The bank from its closed form; the prototype is SciPy's low-pass by a Kaiser window, of another gain."""
    low_pass = firwin(63, 0.15, window=("kaiser", 9.0), scale=False)
    return np.array(
        [
            [
                2 * low_pass[n] * math.cos((2 * k + 1) * math.pi / 8 * (n - 30.5) + sign * (-1) ** k * math.pi / 4)
                for n in range(63)
            ]
            for k in range(4)
        ]
    )


def test_the_filters_are_those_of_the_closed_form():
    for sign in (1, -1):
        np.testing.assert_allclose(band_filters(sign).numpy(), filters(sign), rtol=0, atol=1e-14)


def correlated(signal, taps):
    """signal (T,) -> Σ taps[n] · signal[t + n − 31]; zeros outside."""
    return lfilter(taps[::-1], 1, np.concatenate([signal, np.zeros(31)]))[31:]


def test_splitting_is_filtering_and_keeping_each_fourth_sample():
    wave = np.random.default_rng(0).standard_normal((2, 80))
    bands = split_bands(torch.from_numpy(wave)[:, None]).numpy()
    expected = [[correlated(item, taps)[::4] for taps in filters(1)] for item in wave]
    np.testing.assert_allclose(bands, expected, rtol=0, atol=1e-13)


def test_merging_is_filtering_samples_with_three_zeros_between_and_adding_up():
    bands, own = np.random.default_rng(0).standard_normal((2, 4, 20)), np.random.default_rng(1).standard_normal((4, 63))
    zeros = np.zeros((2, 4, 80))
    zeros[:, :, ::4] = 4 * bands
    for given, bank in ((None, filters(-1)), (torch.from_numpy(own)[None], own)):
        expected = [sum(correlated(band, taps) for band, taps in zip(item, bank, strict=True)) for item in zeros]
        waveform = merge_bands(torch.from_numpy(bands), given)[:, 0].numpy()
        np.testing.assert_allclose(waveform, expected, rtol=0, atol=1e-13)


def test_dividing_and_merging_delays_a_waveform_by_a_sample():
    wave = torch.randn(1, 1, 4000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    again = merge_bands(split_bands(wave))
    error = (again[..., 101:-99] - wave[..., 100:-100]).square().mean()
    assert -18 < 10 * math.log10(error) < -15


def test_both_directions_stay_in_float32_under_autocast():
    wave = torch.randn(1, 1, 80)
    with torch.autocast("cpu", torch.bfloat16):
        bands = split_bands(wave)
        assert bands.dtype == merge_bands(bands).dtype == torch.float32
        assert torch.equal(bands, split_bands(wave))
