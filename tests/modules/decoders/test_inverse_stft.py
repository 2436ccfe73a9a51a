import numpy as np
import pytest
import torch

from hf_vits.modules.decoders.inverse_stft import InverseStft, frames_around, inverse_basis

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
def test_it_adds_windowed_frames_and_divides_by_the_squared_windows(make_spectrum, size, hop, trim):
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
