r"""Convolutions of three and five taps with fewer products, for CPUs: minimal filtering (Winograd 1980).

Polynomials of m and k coefficients have a product of n = m + k - 1, which its values at n points determine: n products
instead of m · k (Toom 1963, Cook 1966). Let V_q hold the powers 0 … q - 1 of each point, and of infinity the last one
alone. The product of a and w is V_n⁻¹ (V_m a ∘ V_k w); its transpose gives m outputs of a tile of n inputs x,

    y = V_mᵀ (V_k w ∘ V_n⁻ᵀ x),    y[t] = Σ_j w[j] · x[t + j].

For m = 4 that is 6 products where three taps need 12, and 8 where five need 20; for all tiles at once each is one with
a C_out × C_in matrix. Larger tiles would need fewer, and lose digits: these lose one of float32's seven, of the largest
value of a tile. All of it is linear in x and in w, so gradients take the same steps in reverse: see `autograd`.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.kernels import products
from hf_vits.utils.torch_state import ConvNd


class Matrices(NamedTuple):
    """The matrices of an algorithm: inputs (r, n), taps (r, k) and outputs (m, r)."""

    inputs: Tensor
    taps: Tensor
    outputs: Tensor


class Tiles:
    """The layout of a signal (B, T, C) in `count` tiles of each of `dilation` phases.

    Matrices of tiles have a column for each item, tile, phase and channel; phases lie side by side, like more channels.
    """

    def __init__(self, samples: Tensor, matrices: Matrices, dilation: int):
        self.batch, self.length, self.channels = samples.shape
        self.outputs, self.size = len(matrices.outputs), matrices.inputs.shape[1]
        taps = matrices.taps.shape[1]
        self.dilation, self.step = dilation, dilation * self.channels
        self.full, self.count = self.length // (self.outputs * dilation), -(-self.length // (self.outputs * dilation))
        self.before = (taps - 1) // 2 * dilation
        self.kept = self.count * self.outputs * dilation
        self.whole = self.kept + (taps - 1) * dilation

    def extended(self, samples: Tensor) -> Tensor:
        """samples (B, T, C) -> the same with the zeros that tiles need around them (B, T', C)."""
        return F.pad(samples, (0, 0, self.before, self.whole - self.before - self.length)).contiguous()

    def inputs(self, extended: Tensor, first: int = 0, count: int | None = None) -> Tensor:
        """(B, T', C) -> the inputs of `count` tiles from `first` on (n, B, count, d · C), a view."""
        strides = self.step, self.whole * self.channels, self.outputs * self.step, 1
        shape = self.size, len(extended), self.count if count is None else count, self.step
        return extended.as_strided(shape, strides, extended.storage_offset() + first * self.outputs * self.step)

    def split_outputs(self, samples: Tensor) -> Tensor:
        """samples (B, T, C) -> the outputs of each tile (m, B · count · d · C), with zeros after the last."""
        full, rest = self._split(samples)
        output_tiles = samples.new_empty(self.outputs, self.batch, self.count, self.step)
        output_tiles[:, :, : self.full] = full.flatten(3).permute(2, 0, 1, 3)
        if self.full < self.count:
            rest = F.pad(rest, (0, 0, 0, self.kept - self.length))
            output_tiles[:, :, self.full] = rest.unflatten(1, (self.outputs, self.dilation)).flatten(2).transpose(0, 1)
        return output_tiles.flatten(1)

    def join(self, output_tiles: Tensor, bias: Tensor | None, samples: Tensor) -> None:
        """Invert `split_outputs`: write outputs (m, B · count · d · C), plus a bias (C,), to samples (B, T, C)."""
        tiles = output_tiles.view(self.outputs, self.batch, self.count, self.dilation, self.channels)
        tiles, (full, rest) = tiles.permute(1, 2, 0, 3, 4), self._split(samples)
        last = tiles[:, self.full :].flatten(1, 3)[:, : rest.shape[1]]
        for part, place in ((tiles[:, : self.full], full), (last, rest)):
            place.copy_(part) if bias is None else torch.add(part, bias, out=place)

    def _split(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """samples (B, T, C) -> outputs of all complete tiles (B, tiles, m, d, C) and samples after them, both views."""
        full, rest = samples.tensor_split([self.full * self.outputs * self.dilation], dim=1)
        return full.unflatten(1, (self.full, self.outputs, self.dilation)), rest

    def add_inputs(self, input_tiles: Tensor) -> Tensor:
        """Transpose `inputs`, adding where tiles overlap: (n, B · count · d · C) -> (B, T, C)."""
        parts = input_tiles.view(-1, self.batch, self.count, self.step).permute(1, 2, 0, 3)  # (B, count, n, d · C)
        total = parts.new_zeros(self.batch, self.whole, self.channels)
        tiles = total.as_strided(parts.shape, (total.stride(0), self.outputs * self.step, self.step, 1))
        for rows in (slice(self.outputs), slice(self.outputs, None)):  # parts of a slice do not overlap
            tiles[:, :, rows] += parts[:, :, rows]
        return total[:, self.before : self.before + self.length]


class Stack:
    """Weights (n, C_in, C_out) of n products, in the order of the fastest ones; without gradients."""

    def __init__(self, weight: Tensor):
        self.shape, self.weight = weight.shape, weight
        packed = [products.prepared(one.t(), FEWEST_CHANNELS_OF_STACK) for one in weight]
        self.is_packed = packed[0][0].is_mkldnn
        if self.is_packed:
            self.weight = packed

    def multiply(self, rows: Tensor, out: Tensor) -> None:
        """Write the products of rows (n, R, C_in) to `out` (n, R, C_out)."""
        if not self.is_packed:
            torch.bmm(rows, self.weight, out=out)
            return
        for one, (weight, product), place in zip(rows, self.weight, out, strict=True):
            place.copy_(product(one, weight, None))


OUTPUTS = 4
"""Outputs of a tile, m."""

POINTS = {3: (0, 1, -1, 0.5, -2), 5: (0, 1, -1, 0.5, -0.5, 2, -2)}
"""Evaluation points by taps, besides infinity."""

FEWEST_CHANNELS = {3: 192, 5: 128}
"""Least channels, in and out, of a layer that is faster so, by taps; transforms dominate in narrower ones."""

FEWEST_CHANNELS_OF_STACK = 128
"""Least channels for which oneDNN, where it is faster than MKL, multiplies tiles."""

TILES = 128
"""Tiles of all phases in a group, which keeps the work in a processor's cache."""


def keeps_length(layer: ConvNd) -> bool:
    """Return True for an ungrouped convolution along one dimension, of odd taps, that keeps the length."""
    taps = max(layer.kernel_size)
    keeps = 2 * max(layer.padding) == max(layer.dilation) * (taps - 1)
    return taps % 2 == 1 and keeps and max(layer.stride) == layer.groups == 1


def is_faster(layer: ConvNd) -> bool:
    """Return True for such a layer, of enough channels."""
    taps, channels = max(layer.kernel_size), min(layer.in_channels, layer.out_channels)
    return taps in POINTS and channels >= FEWEST_CHANNELS[taps] and keeps_length(layer)


def is_long_enough(length: int, dilation: int) -> bool:
    """Return True if a signal fills a tile of each phase, if there are several.

    Below 32 samples the direct form is faster by up to 0.2 ms a layer, but would keep its own weights for rare signals.
    """
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


def values(layer: nn.Conv1d) -> Stack:
    """Return V_k w of the weight of a layer, (n, C_in, C_out)."""
    weight = layer.weight.detach()
    taps = matrices(weight.shape[2], torch.float64).taps
    return Stack(torch.einsum("nk,oik->nio", taps, weight.double()).to(weight.dtype).contiguous())


def convolve(signal: Tensor, weight: Stack, dilation: int, bias: Tensor | None) -> Tensor:
    """signal (B, T, C_in), weight as `values` gives it, bias (C_out,) -> (B, T, C_out), without gradients, with zeros
    around the signal."""
    size, channels, outputs = weight.shape
    taps = size - OUTPUTS + 1
    constant = matrices(taps, signal.dtype)
    tiles = Tiles(signal, constant, dilation)
    group = max(1, min(tiles.count, TILES // dilation))
    shapes = [(size, channels), (size, channels), (size, outputs), (OUTPUTS, outputs)]  # rows per tile, channels
    work = [signal.new_empty(rows * group * dilation * c) for rows, c in shapes]
    result = signal.new_empty(tiles.batch, tiles.count, OUTPUTS, dilation, outputs)
    extended = tiles.extended(signal)
    for item, whole in zip(extended.unsqueeze(1), result, strict=True):
        for first in range(0, tiles.count, group):
            part = whole[first : first + group]
            rows = len(part) * dilation
            input_tiles, transformed, mixed, output_tiles = (
                memory[: lines * rows * c].view(lines, rows, c) for memory, (lines, c) in zip(work, shapes, strict=True)
            )
            input_tiles.view(size, 1, len(part), -1).copy_(tiles.inputs(item, first, len(part)))
            torch.mm(constant.inputs, input_tiles.flatten(1), out=transformed.flatten(1))
            weight.multiply(transformed, mixed)
            torch.mm(constant.outputs, mixed.flatten(1), out=output_tiles.flatten(1))
            output_tiles = output_tiles.view(OUTPUTS, len(part), dilation, outputs).transpose(0, 1)
            part.copy_(output_tiles) if bias is None else torch.add(output_tiles, bias, out=part)
    return result.view(tiles.batch, tiles.kept, outputs)[:, : tiles.length]
