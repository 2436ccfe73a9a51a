"""Spectra by the sums that define them, and the convolutions of a sub-discriminator one by one."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from hf_vits.discriminators.base import SLOPE


def transform(waveform, fft_size, hop, window):
    """The sums that define a discrete Fourier transform, float64, (B, F, frames)."""
    edge, before = (fft_size - hop) // 2, (fft_size - window) // 2
    padded = np.pad(waveform[:, 0].double().numpy(), ((0, 0), (edge, edge)), mode="reflect")
    hann = np.zeros(fft_size)
    hann[before : before + window] = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(window) / window)
    starts = range(0, padded.shape[1] - fft_size + 1, hop)
    frames = np.stack([padded[:, start : start + fft_size] * hann for start in starts], axis=-1)
    basis = np.exp(-2j * math.pi * np.outer(np.arange(fft_size // 2 + 1), np.arange(fft_size)) / fft_size)
    return torch.from_numpy(basis @ frames)


def convolved(signal, convs):
    for conv, stride in zip(convs, (1, 2, 2, 2, 1), strict=True):
        padding = (1, 4) if conv.weight.shape[-1] == 9 else 1
        signal = F.leaky_relu(F.conv2d(signal, conv.weight, conv.bias, (1, stride), padding), SLOPE)
        yield signal
