"""Fixed filter banks, by which light decoders go from frames or sub-bands to samples: an inverse STFT and a pseudo-QMF.

The pseudo-QMF is modulated by cosines (Nguyen 1994). Its four bands, 63 taps, cutoff and phase are those of
MB-iSTFT-VITS, whose voices are trained with them: dividing and merging delays a waveform by one sample and leaves an
error of −16 dB, which the voices' decoders make up for.
"""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.utils.torch_state import is_traced

BANDS = 4
"""Sub-bands of the pseudo-QMF."""

TAPS = 63

CUTOFF = 0.15
"""Of the prototype, as a share of half the sampling rate."""

KAISER_BETA = 9.0

EDGE = TAPS // 2
"""Samples to either side of a sample that a filter spans."""


class InverseStft(nn.Module):
    """
    Frames of a spectrum to samples, by overlapping windowed frames and dividing by the sum of squared windows.

    It is linear and exact: a spectrogram of a signal gives the signal. An exported graph has a product with the
    Fourier basis in place of the transform, which few runtimes know.

    Args:
        fft_size (`int`):
            Samples of a frame, even, and a multiple of the hop.
        hop_length (`int`):
            Samples between frames.
        trim (`int`):
            Samples that are left out at either end.
    """

    def __init__(self, fft_size: int, hop_length: int, trim: int):
        super().__init__()
        self.fft_size, self.hop_length, self.trim = fft_size, hop_length, trim

    def forward(self, real: Tensor, imaginary: Tensor, mask: Tensor | None = None) -> Tensor:
        """real and imaginary parts (B, F, T), mask of frames (B, 1, T) -> (B, 1, (T - 1) · hop + fft_size - 2 · trim).

        Frames that are masked count as absent, as those outside the signal do.
        """
        if mask is not None:
            real, imaginary = real * mask, imaginary * mask
        window = torch.hann_window(self.fft_size, dtype=real.dtype, device=real.device)
        frames = self._inverse_transform(real, imaginary) * window[:, None]
        present = torch.ones_like(real[:, :1]) if mask is None else mask
        weight = self._overlap_add(window.square()[:, None] * present)
        return self._overlap_add(frames) / weight.clamp(min=1e-8)

    def _inverse_transform(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Return the frames (B, fft_size, T) of half a spectrum."""
        if not is_traced():
            return torch.fft.irfft(torch.complex(real, imaginary), n=self.fft_size, dim=1)
        cosine, sine = (part.to(real) for part in inverse_basis(self.fft_size))
        return cosine.T @ real + sine.T @ imaginary

    def _overlap_add(self, frames: Tensor) -> Tensor:
        """(B, fft_size, T) -> (B, 1, (T - 1) · hop + fft_size - 2 · trim)."""
        hop, parts = self.hop_length, self.fft_size // self.hop_length
        hops = [frames[:, part * hop : (part + 1) * hop] for part in range(parts)]  # each is added one frame later
        total = sum(F.pad(part, (later, parts - 1 - later)) for later, part in enumerate(hops))
        samples = total.mT.flatten(1).unsqueeze(1)
        return samples[..., self.trim : samples.shape[-1] - self.trim]


def inverse_basis(fft_size: int) -> tuple[Tensor, Tensor]:
    """
    Return the matrices (F, fft_size), float64, whose products with real and imaginary part are the inverse transform.

    x_n = 1/N Σ_k w_k (Re_k cos(2πkn/N) − Im_k sin(2πkn/N)), with w = 1 for the first and the last frequency, and 2 for
    the others, which half a spectrum stands for twice.
    """
    bins = torch.arange(fft_size // 2 + 1, dtype=torch.float64)
    angle = 2 * math.pi / fft_size * (bins[:, None] * torch.arange(fft_size, dtype=torch.float64) % fft_size)
    twice = torch.full_like(bins, 2.0)
    twice[0] = twice[-1] = 1.0
    scale = (twice / fft_size)[:, None]
    return scale * angle.cos(), -scale * angle.sin()


def frames_around(fft_size: int, hop_length: int, trim: int) -> int:
    """Return the most frames to either side of frame t that reach into its samples, from t · hop to (t + 1) · hop."""
    before = (fft_size - trim - 1) // hop_length
    after = math.ceil((hop_length + trim) / hop_length) - 1
    return max(before, after)


@cache
def _band_filters(phase: int) -> np.ndarray:
    position, band = np.arange(TAPS), np.arange(BANDS)[:, None]
    prototype = CUTOFF * np.sinc(CUTOFF * (position - EDGE)) * np.kaiser(TAPS, KAISER_BETA)
    angle = (2 * band + 1) * np.pi / (2 * BANDS) * (position - (TAPS - 2) / 2)
    return 2 * prototype * np.cos(angle + phase * (-1.0) ** band * np.pi / 4)


def band_filters(phase: int) -> Tensor:
    """
    Return the impulse responses (BANDS, TAPS), float64.

    h_k(n) = 2 p(n) cos((2k + 1) π/8 (n − 61/2) ± (−1)^k π/4), with p a low-pass of the Kaiser window.

    Args:
        phase (`int`):
            Sign of π/4: 1 for analysis, −1 for synthesis.
    """
    return torch.from_numpy(_band_filters(phase))


def split_bands(waveform: Tensor) -> Tensor:
    """waveform (B, 1, T), float32 under autocast too, T a multiple of BANDS -> sub-bands (B, BANDS, T / BANDS)."""
    with torch.autocast(waveform.device.type, enabled=False):
        return F.conv1d(waveform, band_filters(1).to(waveform)[:, None], stride=BANDS, padding=EDGE)


def merge_bands(bands: Tensor, filters: Tensor | None = None) -> Tensor:
    """
    Put BANDS − 1 zeros after each sample, filter each sub-band, and add them up.

    Args:
        bands (`Tensor` of shape `(B, BANDS, T)`):
            The sub-bands.
        filters (`Tensor` of shape `(1, BANDS, TAPS)`, *optional*):
            Weights of the convolution; by default those of the filter bank's synthesis.

    Returns:
        `Tensor` of shape `(B, 1, BANDS · T)`: the waveform. The zeros' loss of level is made up for.
    """
    filters = band_filters(-1) if filters is None else filters[0]
    transposed = BANDS * filters.to(bands).flip(-1)[:, None]  # a transposed convolution skips the zeros
    with torch.autocast(bands.device.type, enabled=False):
        return F.conv_transpose1d(bands, transposed, stride=BANDS, padding=EDGE, output_padding=BANDS - 1)
