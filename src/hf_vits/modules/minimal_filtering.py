r"""Convolutions of three and five taps with fewer products: minimal filtering (Winograd 1980), for CPUs.

Polynomials of m and k coefficients have a product of n = m + k - 1, which its values at n points tell: n products
instead of m · k (Toom 1963, Cook 1966). Let V_q hold the powers 0 … q - 1 of each point, and of infinity the last one
alone. The product of a and w is V_n⁻¹ (V_m a ∘ V_k w); read backwards, it makes m outputs of a tile of n inputs x,

    y = V_mᵀ (V_k w ∘ V_n⁻ᵀ x),    y[t] = Σ_j w[j] · x[t + j].

For m = 4 that is 6 products where three taps need 12, and 8 where five need 20; for all tiles at once each is one with
a C_out × C_in matrix. Larger tiles would need fewer, and lose digits: these lose one of float32's seven, of the largest
value of a tile. All of it is linear in x and in w, so gradients take the same steps backwards: `learnt_filtering`.
"""

from functools import cache

import torch
from torch import Tensor

from hf_vits.modules.tiles import Matrices, Tiles

OUTPUTS = 4
"""Of a tile, m."""

POINTS = {3: (0, 1, -1, 0.5, -2), 5: (0, 1, -1, 0.5, -0.5, 2, -2)}
"""By taps, and infinity."""

FEWEST_CHANNELS = {3: 192, 5: 128}
"""By taps: of a layer, in and out, for which it is faster; what leads to the products takes narrower ones more time."""

TILES = 128
"""Of all phases, that are worked on at once, which keeps the work in a processor's cache."""


def keeps_length(layer: torch.nn.modules.conv._ConvNd) -> bool:
    """Whether a layer is a convolution along one dimension, of all channels, that keeps the length; of odd taps."""
    taps = max(layer.kernel_size)
    keeps = 2 * max(layer.padding) == max(layer.dilation) * (taps - 1)
    return taps % 2 == 1 and keeps and max(layer.stride) == layer.groups == 1


def pays(layer: torch.nn.modules.conv._ConvNd) -> bool:
    """Whether a layer is such a convolution, and faster so."""
    taps, channels = max(layer.kernel_size), min(layer.in_channels, layer.out_channels)
    return taps in POINTS and channels >= FEWEST_CHANNELS[taps] and keeps_length(layer)


def pays_for(length: int, dilation: int) -> bool:
    """Whether a signal fills a tile of each phase, if there are several. Below 32 samples the direct form is faster, by
    up to 0.2 ms a layer; but it would keep weights of its own for the few signals that are so short."""
    return dilation == 1 or length >= OUTPUTS * dilation


@cache
def matrices(taps: int, dtype: torch.dtype) -> Matrices:
    """V_n⁻ᵀ (n, n), V_k (n, k) and V_mᵀ (m, n)."""

    def powers(count: int) -> Tensor:
        kind = {"dtype": torch.float64, "device": "cpu"}
        finite = torch.tensor(POINTS[taps], **kind)[:, None] ** torch.arange(count, **kind)
        return torch.cat([finite, torch.eye(count, **kind)[-1:]])

    exact = powers(taps + OUTPUTS - 1).inverse().t(), powers(taps), powers(OUTPUTS).t()
    return Matrices(*(matrix.contiguous().to(dtype) for matrix in exact))


def values(weight: Tensor) -> Tensor:
    """weight (C_out, C_in, k) -> V_k w, (n, C_in, C_out)."""
    taps = matrices(weight.shape[2], torch.float64).taps
    return torch.einsum("nk,oik->nio", taps, weight.detach().double()).to(weight.dtype).contiguous()


def convolve(signal: Tensor, weight: Tensor, dilation: int, bias: Tensor | None) -> Tensor:
    """signal (B, T, C_in), weight as `values` gives it, bias (C_out,) -> (B, T, C_out), without gradients; around it
    lie zeros."""
    size, channels, outputs = weight.shape
    taps = size - OUTPUTS + 1
    constant = matrices(taps, signal.dtype)
    tiles = Tiles(signal, constant, dilation)
    group = max(1, min(tiles.count, TILES // dilation))
    work = [signal.new_empty(rows * group * dilation * c) for rows, c in _work(size, channels, outputs)]
    result = signal.new_empty(tiles.batch, tiles.count, OUTPUTS, dilation, outputs)
    extended = tiles.extended(signal)
    for item, whole in zip(extended.unsqueeze(1), result, strict=True):
        for first in range(0, tiles.count, group):
            part = whole[first : first + group]
            rows = len(part) * dilation
            seen, transformed, mixed, made = (
                memory[: lines * rows * c].view(lines, rows, c)
                for memory, (lines, c) in zip(work, _work(size, channels, outputs), strict=True)
            )
            seen.view(size, 1, len(part), -1).copy_(tiles.seen(item, first, len(part)))
            torch.mm(constant.inputs, seen.flatten(1), out=transformed.flatten(1))
            torch.bmm(transformed, weight, out=mixed)
            torch.mm(constant.outputs, mixed.flatten(1), out=made.flatten(1))
            made = made.view(OUTPUTS, len(part), dilation, outputs).transpose(0, 1)
            part.copy_(made) if bias is None else torch.add(made, bias, out=part)
    return result.view(tiles.batch, tiles.kept, outputs)[:, : tiles.length]


def _work(size: int, channels: int, outputs: int) -> list[tuple[int, int]]:
    """Lines and channels, for each tile, of what is computed one after the other."""
    return [(size, channels), (size, channels), (size, outputs), (OUTPUTS, outputs)]
