r"""Long convolutions in the frequency domain: tile by tile, and a product of matrices for each frequency.

A convolution of k taps makes m = n - k + 1 outputs of each tile of n inputs; tiles overlap by k - 1 (overlap-save).
With the discrete Fourier transform of a tile x and of the taps w, along time and for each pair of channels,

    y[t] = 1/n Σ_f exp(2πi·f·t/n) · X[f] · conj(W[f]),    t = 0 … m - 1,

because networks correlate where mathematics convolves. Signals are real, so only f = 0 … n/2 count: the two ends are
real, and each of the n/2 - 1 others is a complex product, which three real ones give (Gauss):

    a = Xr·Wr,  b = Xi·Wi,  c = (Xr + Xi)·(Wr + Wi)    →    a - b + i·(c - a - b).

All of it is linear in x and in w, so it is three constant matrices: y = I ((F x) ∘ (K w)) with F (r, n), K (r, k) and
I (m, r). Each of the r = 3n/2 - 1 products is, for all tiles at once, one with a C_in × C_out matrix. For k = 11 and
n = 32 that is 47 products for 22 outputs, 2.1 for each where the direct form needs 11. The transforms cost n·r + r·m
operations for each channel of a tile, so wide layers gain most. A dilated convolution is d plain ones, of every d-th
sample each.
"""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

TILE = 32
"""Samples of a tile, n. With 16 there are more of them, each with fewer outputs, for half as many products."""

ROWS = 65
"""Tiles of one phase at once: as many as keep the work of a 128-channel layer in a processor's cache."""

FEWEST_TILES = 32
"""With fewer, reading the transformed weights costs more than is saved."""


def pays(channels: int, kernel: int) -> bool:
    """Whether the layer, of as many channels in as out, is faster so, as far as layers alone were tried."""
    return kernel < TILE // 2 and (kernel >= 7 and channels >= 128 or kernel >= 11 and channels >= 64)


def pays_for(length: int, kernel: int, dilation: int) -> bool:
    """Whether a signal of `length` samples is long enough for it."""
    return _tiles(length, kernel, dilation) * dilation >= FEWEST_TILES


@cache
def _matrices(kernel: int) -> tuple[Tensor, Tensor, Tensor]:
    """taps k -> F (r, n), K (r, k) and I (m, r) of the module's docstring, in double precision."""
    outputs = TILE - kernel + 1
    turn = 2 * math.pi / TILE * torch.arange(TILE, dtype=torch.float64, device="cpu")
    forward, taps, inverse = [], [], []
    for frequency in range(TILE // 2 + 1):
        cosine, sine = torch.cos(frequency * turn), torch.sin(frequency * turn)
        if frequency in (0, TILE // 2):
            forward.append(cosine)
            taps.append(cosine[:kernel])
            inverse.append(cosine[:outputs] / TILE)
        else:
            forward += [cosine, -sine, cosine - sine]
            taps += [cosine[:kernel], sine[:kernel], (cosine + sine)[:kernel]]
            cosine, sine = 2 / TILE * cosine[:outputs], 2 / TILE * sine[:outputs]
            inverse += [cosine + sine, sine - cosine, -sine]  # real · cosine - imaginary · sine, of a, b and c
    return torch.stack(forward), torch.stack(taps), torch.stack(inverse, dim=1)


def spectrum(weight: Tensor) -> Tensor:
    """weight (C_out, C_in, k) -> K w, (r, C_in, C_out)."""
    _, taps, _ = _matrices(weight.shape[2])
    return torch.einsum("rk,oik->rio", taps, weight.detach().double()).to(weight.dtype).contiguous()


def convolve(signal: Tensor, weight: Tensor, kernel: int, dilation: int, bias: Tensor | None) -> Tensor:
    """signal (B, T, C_in), weight as `spectrum` gives it, bias (C_out,) -> (B, T, C_out); around it lie zeros."""
    batch, length, channels = signal.shape
    products, _, outputs = weight.shape
    forward, _, inverse = (matrix.to(signal.dtype) for matrix in _matrices(kernel))
    hop, tiles, half = len(inverse), _tiles(length, kernel, dilation), dilation * (kernel - 1) // 2
    result = signal.new_empty(batch, tiles, hop, dilation * outputs)
    end = dilation * (tiles * hop + kernel - 1) - half - length
    group = max(1, min(tiles, ROWS // dilation))
    # The same memory for every group: fresh memory would not be in the cache.
    inner, outer = group * dilation * channels, group * dilation * outputs
    sizes = ((TILE, inner), (products, inner), (products, outer), (hop, outer))
    buffers = [signal.new_empty(rows * columns) for rows, columns in sizes]
    for item, made in zip(signal, result, strict=True):
        padded = F.pad(item, (0, 0, half, end))
        # Tile i holds samples (i·m + j)·d + phase, j = 0 … n - 1; phases lie side by side, like more channels.
        step = dilation * channels
        overlapping = padded.as_strided((TILE, tiles, step), (step, hop * step, 1))
        for first in range(0, tiles, group):
            tile = overlapping[:, first : first + group]
            many = tile.shape[1] * dilation
            gathered = buffers[0][: TILE * many * channels].view(TILE, -1)
            spectra = buffers[1][: products * many * channels].view(products, many, channels)
            mixed = buffers[2][: products * many * outputs].view(products, many, outputs)
            mended = buffers[3][: hop * many * outputs].view(hop, -1)
            gathered.view(tile.shape).copy_(tile)
            torch.mm(forward, gathered, out=spectra.view(products, -1))
            torch.bmm(spectra, weight, out=mixed)
            torch.mm(inverse, mixed.view(products, -1), out=mended)
            made[first : first + group] = mended.view(hop, tile.shape[1], -1).transpose(0, 1)
    result = result.view(batch, -1, outputs)[:, :length]
    return result if bias is None else result.add_(bias)


def _tiles(length: int, kernel: int, dilation: int) -> int:
    return -(-length // (dilation * (TILE - kernel + 1)))
