"""The cosine-modulated filter bank that divides a waveform into sub-bands and merges them (pseudo-QMF, Nguyen 1994).

Its four bands, 63 taps, cutoff and phase are those of MB-iSTFT-VITS, whose voices are trained with them: dividing and
merging delays a waveform by one sample and leaves an error of −16 dB, which the voices' decoders make up for.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

BANDS = 4

TAPS = 63

CUTOFF = 0.15
"""Of the prototype, as a share of half the sampling rate."""

KAISER_BETA = 9.0

EDGE = TAPS // 2
"""Samples to either side of a sample that a filter spans."""


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


def split(waveform: Tensor) -> Tensor:
    """waveform (B, 1, T), float32 under autocast too, T a multiple of BANDS -> sub-bands (B, BANDS, T / BANDS)."""
    with torch.autocast(waveform.device.type, enabled=False):
        return F.conv1d(waveform, band_filters(1).to(waveform)[:, None], stride=BANDS, padding=EDGE)


def merge(bands: Tensor, filters: Tensor | None = None) -> Tensor:
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
