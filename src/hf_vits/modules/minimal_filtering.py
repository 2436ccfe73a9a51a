r"""Convolutions of five taps with fewer products: minimal filtering (Winograd 1980), with gradients, to learn on a CPU.

Polynomials of m and k coefficients have a product of n = m + k - 1, which its values at n points tell: n products
instead of m · k (Toom 1963, Cook 1966). Let V_q hold the powers 0 … q - 1 of each point, and of infinity the last one
alone. The product of a and w is V_n⁻¹ (V_m a ∘ V_k w); read backwards, it makes m outputs of a tile of n inputs x,

    y = V_mᵀ (V_k w ∘ V_n⁻ᵀ x),    y[t] = Σ_j w[j] · x[t + j].

For k = 5, m = 4 and the points 0, ±1, ±1/2, ±2 and infinity that is 8 products where the direct form needs 20, and for
all tiles at once each is one with a C_out × C_in matrix. Larger tiles would need fewer, and lose digits: these lose one
of float32's seven, of the largest value of a tile. All of it is linear in x and in w, so gradients take the same steps
backwards, as cheaply; gradients of gradients go the direct way.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.modules.prepared import is_traced

TAPS, OUTPUTS = 5, 4
"""Taps that it is made for, and outputs of a tile."""

POINTS = (0, 1, -1, 0.5, -0.5, 2, -2)
"""And infinity."""

VALUES = 2**20
"""Of the weights of some output channels, which are worked on at once, to stay in the cache."""

FEWEST_CHANNELS = 128
"""Of a layer, in and out, for which it is faster; narrower ones spend the time on what leads to the products."""

FEWEST_SAMPLES = 256
"""Of all clips of a batch, for which it is faster; with fewer, the weights cost more than is saved."""


def pays(layer: torch.nn.modules.conv._ConvNd) -> bool:
    """Whether a layer is a convolution along one dimension that keeps the length, and faster so."""
    taps = max(layer.kernel_size)
    keeps = max(layer.stride) == 1 and 2 * max(layer.padding) == max(layer.dilation) * (taps - 1)
    wide = min(layer.in_channels, layer.out_channels) >= FEWEST_CHANNELS
    return taps == TAPS and keeps and wide and layer.groups == 1


def pays_for(signal: Tensor) -> bool:
    """Whether a signal (B, C, H, W) is long enough, and of a kind that takes no harm."""
    plain = type(signal) is Tensor and signal.dim() == 4 and not torch._C._are_functorch_transforms_active()
    single = signal.device.type == "cpu" and signal.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return plain and single and signal[:, 0].numel() >= FEWEST_SAMPLES and not is_traced()


def convolve(signal: Tensor, weight: Tensor, bias: Tensor | None = None, dilation: int = 1) -> Tensor:
    """signal (B, C_in, H, W), weight (C_out, C_in, 5), bias (C_out,) -> (B, C_out, H, W), channels last.

    Each item is one signal of H · W samples, row by row, with zeros around it; `dilation` counts its samples, so that W
    convolves each of the W columns alone.
    """
    return _Filtering.apply(signal, weight.flatten(2), bias, dilation)


class _Matrices(NamedTuple):
    """V_n⁻ᵀ (n, n), V_k (n, k) and V_mᵀ (m, n)."""

    inputs: Tensor
    taps: Tensor
    outputs: Tensor


@cache
def _matrices(dtype: torch.dtype) -> _Matrices:
    def powers(count: int) -> Tensor:
        kind = {"dtype": torch.float64, "device": "cpu"}
        finite = torch.tensor(POINTS, **kind)[:, None] ** torch.arange(count, **kind)
        return torch.cat([finite, torch.eye(count, **kind)[-1:]])

    matrices = powers(TAPS + OUTPUTS - 1).inverse().t(), powers(TAPS), powers(OUTPUTS).t()
    return _Matrices(*(matrix.contiguous().to(dtype) for matrix in matrices))


class _Tiles:
    """Where the tiles of a signal lie: its samples (B, T, C) in `count` tiles of each of `dilation` phases.

    Matrices of tiles have a column for each item, tile, phase and channel; phases lie side by side, like more channels.
    """

    def __init__(self, samples: Tensor, dilation: int):
        self.batch, self.length, self.channels = samples.shape
        self.step = dilation * self.channels
        self.count = -(-self.length // (OUTPUTS * dilation))
        self.before = (TAPS - 1) // 2 * dilation
        self.kept = self.count * OUTPUTS * dilation
        self.whole = self.kept + (TAPS - 1) * dilation

    def overlapping(self, samples: Tensor) -> Tensor:
        """samples (B, T, C) -> what each tile sees (n, B · count · d · C)."""
        samples = F.pad(samples, (0, 0, self.before, self.whole - self.before - self.length)).contiguous()
        strides = self.step, self.whole * self.channels, OUTPUTS * self.step, 1
        return samples.as_strided((TAPS + OUTPUTS - 1, self.batch, self.count, self.step), strides).flatten(1)

    def apart(self, samples: Tensor) -> Tensor:
        """samples (B, T, C) -> those that each tile makes (m, B · count · d · C)."""
        samples = F.pad(samples, (0, 0, 0, self.kept - self.length))
        return samples.reshape(self.batch, self.count, OUTPUTS, self.step).permute(2, 0, 1, 3).flatten(1)

    def joined(self, made: Tensor) -> Tensor:
        """Undoes `apart`: (m, B · count · d · C) -> (B, T, C)."""
        made = made.view(OUTPUTS, self.batch, self.count, self.step).permute(1, 2, 0, 3)
        return made.reshape(self.batch, self.kept, self.channels)[:, : self.length]

    def summed(self, seen: Tensor) -> Tensor:
        """The transpose of `overlapping`: (n, B · count · d · C) -> (B, T, C)."""
        seen = seen.view(-1, self.batch, self.count, self.step).permute(1, 2, 0, 3)  # (B, count, n, d · C)
        total = seen.new_zeros(self.batch, self.whole, self.channels)
        tiles = total.as_strided(seen.shape, (total.stride(0), OUTPUTS * self.step, self.step, 1))
        tiles[:, :, :OUTPUTS] += seen[:, :, :OUTPUTS]
        tiles[:, :, OUTPUTS:] += seen[:, :, OUTPUTS:]
        return total[:, self.before : self.before + self.length]


def _parts(weight: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """weight (C_out, C_in, k) -> some output channels, and V_k w of them (n, channels, C_in), until the next are asked
    for: they are made in the same memory, since new memory costs more than the products."""
    taps, most = _matrices(weight.dtype).taps, _part(weight.shape[1])
    memory = weight.new_empty(len(taps) * min(most, len(weight)) * weight.shape[1])
    for first, part in zip(range(0, len(weight), most), weight.contiguous().split(most), strict=True):
        values = memory[: len(taps) * part.shape[0] * part.shape[1]].view(len(taps), *part.shape[:2])
        torch.mm(taps, part.view(-1, TAPS).t(), out=values.flatten(1))
        yield slice(first, first + len(part)), values


def _part(inputs: int) -> int:
    """Output channels whose weights are worked on at once."""
    return max(1, VALUES // ((TAPS + OUTPUTS - 1) * inputs))


class _Filtering(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signal: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
        """signal (B, C_in, H, W), weight (C_out, C_in, k), bias (C_out,) -> (B, C_out, H, W), channels last."""
        ctx.save_for_backward(signal, weight)
        ctx.dilation = dilation
        samples, matrix = _samples(signal), _matrices(signal.dtype).outputs
        shape = len(signal), len(weight), *signal.shape[2:]
        result = torch.empty(shape, dtype=signal.dtype, device=signal.device, memory_format=torch.channels_last)
        seen = _seen(samples, _Tiles(samples, dilation))
        for channels, values in _parts(weight):
            made = torch.mm(matrix, torch.bmm(seen, values.transpose(1, 2)).flatten(1))
            part = _samples(result)[..., channels]
            made = _Tiles(part, dilation).joined(made)
            part.copy_(made) if bias is None else torch.add(made, bias[channels], out=part)
        return result

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        signal, weight = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            gradients = _direct_gradients if torch.is_grad_enabled() else _gradients
            return *gradients(_samples(gradient), signal, weight, ctx.dilation, ctx.needs_input_grad), None


def _gradients(
    incoming: Tensor, signal: Tensor, weight: Tensor, dilation: int, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradient at what is made (B, H · W, C_out), signal (B, C_in, H, W), weight (C_out, C_in, k) -> those at
    signal, weight and bias (C_out,), as far as they are wanted."""
    matrices, samples, to_signal = _matrices(signal.dtype), _samples(signal), None
    tiles = _Tiles(samples, dilation)
    mixed = torch.mm(matrices.outputs.t(), _Tiles(incoming, dilation).apart(incoming))
    mixed = mixed.view(len(matrices.taps), -1, len(weight))
    if wanted[0]:
        seen = None
        for channels, values in _parts(weight):
            part = mixed[..., channels]
            seen = torch.bmm(part, values) if seen is None else seen.baddbmm_(part, values)
        seen = torch.mm(matrices.inputs.t(), seen.flatten(1))
        to_signal = tiles.summed(seen).unflatten(1, signal.shape[2:]).permute(0, 3, 1, 2)
    to_weight = _to_weight(mixed, _seen(samples, tiles)) if wanted[1] else None
    return to_signal, to_weight, incoming.sum(dim=(0, 1)) if wanted[2] else None


def _direct_gradients(
    incoming: Tensor, signal: Tensor, weight: Tensor, dilation: int, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """As `_gradients`, by operations that have gradients themselves."""
    incoming, samples = incoming.transpose(1, 2), _samples(signal).transpose(1, 2)
    to_signal, to_weight, to_bias = torch.ops.aten.convolution_backward(
        incoming,
        samples,
        weight,
        [len(weight)],
        stride=[1],
        padding=[(TAPS - 1) // 2 * dilation],
        dilation=[dilation],
        transposed=False,
        output_padding=[0],
        groups=1,
        output_mask=list(wanted[:3]),
    )
    return to_signal if to_signal is None else to_signal.unflatten(2, signal.shape[2:]), to_weight, to_bias


def _to_weight(mixed: Tensor, seen: Tensor) -> Tensor:
    """The gradient at what tiles make, V_m of it (n, tiles, C_out), and what they see, V_n⁻ᵀ x (n, tiles, C_in) -> the
    gradient at the taps (C_out, C_in, k), for some output channels at a time."""
    taps, outputs, inputs = _matrices(seen.dtype).taps, mixed.shape[2], seen.shape[2]
    result = seen.new_empty(outputs, inputs, TAPS)
    for part, out in zip(mixed.split(_part(inputs), dim=2), result.split(_part(inputs)), strict=True):
        values = torch.bmm(part.transpose(1, 2), seen)
        torch.mm(values.flatten(1).t(), taps, out=out.view(-1, TAPS))
    return result


def _samples(signal: Tensor) -> Tensor:
    """(B, C, H, W), channels last -> (B, H · W, C), a view."""
    return signal.permute(0, 2, 3, 1).flatten(1, 2)


def _seen(samples: Tensor, tiles: _Tiles) -> Tensor:
    """samples (B, T, C) -> V_n⁻ᵀ x (n, B · count · d, C)."""
    seen = torch.mm(_matrices(samples.dtype).inputs, tiles.overlapping(samples))
    return seen.view(len(seen), -1, tiles.channels)
