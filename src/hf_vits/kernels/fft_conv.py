r"""Convolutions in the frequency domain: tile by tile, with a matrix product for each frequency.

A convolution of k taps makes m = n - k + 1 outputs of each tile of n inputs; tiles overlap by k - 1 (overlap-save).
With the discrete Fourier transform of a tile x and of the taps w, along time and for each pair of channels,

    y[t] = 1/n Σ_f exp(2πi·f·t/n) · X[f] · conj(W[f]),    t = 0 … m - 1,

because networks correlate where mathematics convolves. Signals are real, so only f = 0 … n/2 count: the two ends are
real, and each of the n/2 - 1 others is a complex product, which three real ones give (Gauss):

    a = Xr·Wr,  b = Xi·Wi,  c = (Xr + Xi)·(Wr + Wi)    →    a - b + i·(c - a - b).

All of it is linear in x and in w. The first step of the fast transform (radix 2) splits it by h = n/2: even
frequencies depend on x[j] + x[j + h] alone, odd ones on x[j] - x[j + h]; the contribution of the even ones repeats
after h outputs, that of the odd ones too with the opposite sign. So there are four constant matrices for x and y,
and one for w:

    y[t] = A[t] + B[t],  y[t + h] = A[t] - B[t],   A = I₀ (F₀ (x₀ + x₁) ∘ K₀ w),  B = I₁ (F₁ (x₀ - x₁) ∘ K₁ w).

They have 3h - 1 rows together, and each of these products is, for all tiles at once, one with a C_in × C_out matrix.
For k = 11 and n = 32 that is 47 products for 22 outputs, 2.1 for each where the direct form needs 11. Transforms cost
h operations for each row and channel of a tile, in each direction, so wide layers gain most. A dilated convolution is d
plain ones, of every d-th sample each.
Gradients take the same steps in reverse, without the radix-2 step: see `autograd`.
"""

import math
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.kernels.winograd import Matrices, Stack

VALUES, ROWS = 2**14, 128
"""Size of a group of tiles: this many values at one position in a tile, which keeps the work of most layers in a
processor's cache, but at least this many tiles."""

FEWEST_CHANNELS = ((11, 32), (7, 64))
"""Least taps, and least channels of a layer that is faster so."""

FEWEST_TILES = 32
"""With fewer, reading the transformed weights costs more than is saved."""


def is_faster(channels: int, kernel: int, fewest: tuple[tuple[int, int], ...]) -> bool:
    """Return True if a layer has the `fewest` channels for its taps, in and out, and its taps fit a tile."""
    least = next((channels for kernels, channels in fewest if kernel >= kernels), None)
    return least is not None and kernel < 16 and channels >= least


def is_long_enough(length: int, kernel: int, dilation: int) -> bool:
    """Return True if a signal of `length` samples fills enough tiles."""
    return _tiles(length, kernel, dilation) * dilation >= FEWEST_TILES


def tile_size(kernel: int) -> int:
    """Return the samples of a tile, n: larger tiles need fewer products per output, and more memory for the weights."""
    return 16 if kernel < 5 else 32


@cache
def _halves(kernel: int) -> tuple[list[Tensor], Tensor, list[Tensor]]:
    """taps k -> F (3h/2 - 1, h) and (3h/2, h), K (3h - 1, k), I (h, 3h/2 - 1) and (h, 3h/2), in double precision, those
    for even frequencies first."""
    size = tile_size(kernel)
    half = size // 2
    turn = 2 * math.pi / size * torch.arange(half, dtype=torch.float64, device="cpu")
    forward, taps, inverse = ([], []), [], ([], [])
    for parity in (0, 1):
        for frequency in range(parity, half + 1, 2):
            cosine, sine = torch.cos(frequency * turn), torch.sin(frequency * turn)
            if frequency in (0, half):
                forward[parity].append(cosine)
                taps.append(cosine[:kernel])
                inverse[parity].append(cosine / size)
            else:
                forward[parity].extend([cosine, -sine, cosine - sine])
                taps += [cosine[:kernel], sine[:kernel], (cosine + sine)[:kernel]]
                cosine, sine = cosine / half, sine / half
                # real · cosine - imaginary · sine, of a, b and c
                inverse[parity].extend([cosine + sine, sine - cosine, -sine])
    return [*map(torch.stack, forward)], torch.stack(taps), [torch.stack(columns, dim=1) for columns in inverse]


@cache
def matrices(kernel: int, dtype: torch.dtype) -> Matrices:
    """Return the matrices without the radix-2 step, for `Tiles`: F (3h - 1, n), K (3h - 1, k) and I (m, 3h - 1)."""
    (even, odd), taps, (even_back, odd_back) = _halves(kernel)
    forward = torch.cat([torch.cat([even, even], dim=1), torch.cat([odd, -odd], dim=1)])
    inverse = torch.cat([torch.cat([even_back, odd_back], dim=1), torch.cat([even_back, -odd_back], dim=1)])
    return Matrices(forward.to(dtype), taps.to(dtype), inverse[: tile_size(kernel) - kernel + 1].to(dtype))


def spectrum(layer: nn.Conv1d) -> tuple[Stack, Stack]:
    """Return K w of the weight of a layer, (r, C_in, C_out), of even and of odd frequencies."""
    weight = layer.weight.detach()
    products = torch.einsum("rk,oik->rio", _halves(weight.shape[2])[1], weight.double()).to(weight.dtype).contiguous()
    even, odd = products.tensor_split([len(products) // 2])
    return Stack(even), Stack(odd)


def convolve(signal: Tensor, weight: tuple[Stack, Stack], kernel: int, dilation: int, bias: Tensor | None) -> Tensor:
    """signal (B, T, C_in), weight of `spectrum`, bias (C_out,) -> (B, T, C_out), with zeros around the signal."""
    batch, length, channels = signal.shape
    outputs, size = weight[0].shape[2], tile_size(kernel)
    hop, tiles = size - kernel + 1, _tiles(length, kernel, dilation)
    rows = max(VALUES // max(channels, outputs), ROWS)
    group = max(1, min(tiles, rows // dilation))
    work = _Work(signal, weight, kernel, group * dilation, None if bias is None else size * bias)
    result = signal.new_empty(batch, tiles, hop, dilation * outputs)
    for item, output_tiles in zip(signal.contiguous(), result, strict=True):
        for first in range(0, tiles, group):
            many = min(group, tiles - first)
            start = dilation * (first * hop - (kernel - 1) // 2)
            end = start + dilation * ((many - 1) * hop + size)
            window = item[max(start, 0) : end]
            if start < 0 or end > length:
                window = F.pad(window, (0, 0, max(-start, 0), max(end - length, 0)))
            # Tile i holds samples (i·m + j)·d + phase, j = 0 … n - 1; phases lie side by side, like more channels.
            step = dilation * channels
            tile = window.as_strided((size, many, step), (step, hop * step, 1))
            work.convolve(tile, output_tiles[first : first + many].transpose(0, 1))
    return result.view(batch, -1, outputs)[:, :length]


class _Work:
    """Matrices and memory for one layer, shared by all groups of tiles: newly allocated memory would not be cached."""

    def __init__(self, signal: Tensor, weight: tuple[Stack, Stack], kernel: int, rows: int, constant: Tensor | None):
        """Group up to `rows` tiles of one phase; add `constant` (C_out,) at frequency 0."""
        (forward, _, inverse), (most, channels, outputs) = _halves(kernel), weight[1].shape
        forward, inverse = ([matrix.to(signal.dtype) for matrix in pair] for pair in (forward, inverse))
        self.parities = [*zip(forward, weight, inverse, strict=True)]
        self.constant, half = constant, tile_size(kernel) // 2
        self.folded = signal.new_empty(half * rows * channels)
        self.spectra, self.mixed = signal.new_empty(most * rows * channels), signal.new_empty(most * rows * outputs)
        self.halves = signal.new_empty(2, half * rows * outputs)

    def convolve(self, tile: Tensor, output_tiles: Tensor) -> None:
        """tile (n, tiles, d · C_in): write to `output_tiles` (m, tiles, d · C_out)."""
        half, many, width = len(tile) // 2, tile.shape[1], tile.shape[2]
        folded = self.folded[: half * many * width].view(half, many, width)
        halves = self.halves[:, : half * many * output_tiles.shape[2]].view(2, half, many, -1)
        for parity, (forward, weight, inverse) in enumerate(self.parities):  # one after the other, in half the memory
            products, channels, outputs = weight.shape
            rows = many * width // channels
            spectra = self.spectra[: products * rows * channels].view(products, rows, channels)
            mixed = self.mixed[: products * rows * outputs].view(products, rows, outputs)
            (torch.sub if parity else torch.add)(tile[:half], tile[half:], out=folded)
            torch.mm(forward, folded.view(half, -1), out=spectra.view(products, -1))
            weight.multiply(spectra, mixed)
            if self.constant is not None and not parity:
                mixed[0] += self.constant
            torch.mm(inverse, mixed.view(products, -1), out=halves[parity].view(half, -1))
        rest = len(output_tiles) - half
        torch.add(halves[0], halves[1], out=output_tiles[:half])
        torch.sub(halves[0, :rest], halves[1, :rest], out=output_tiles[half:])


def _tiles(length: int, kernel: int, dilation: int) -> int:
    return -(-length // (dilation * (tile_size(kernel) - kernel + 1)))
