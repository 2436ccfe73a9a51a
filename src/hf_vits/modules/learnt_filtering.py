"""Minimal filtering with gradients, to learn on a CPU: what `minimal_filtering` says, forth and back.

Weights are transformed in each pass, for some output channels at a time. Gradients of gradients go the direct way.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from hf_vits.modules import minimal_filtering
from hf_vits.modules.minimal_filtering import OUTPUTS, Tiles, matrices
from hf_vits.modules.prepared import is_plain

VALUES = 2**20
"""Of the weights of some output channels, which are worked on at once, to stay in the cache."""

FEWEST_SAMPLES = 256
"""Of all clips of a batch, for which it is faster; with fewer, the weights cost more than is saved."""


def pays_for(signal: Tensor, dilation: int = 1) -> bool:
    """Whether a signal (B, C, H, W) is long enough, and of a kind that takes no harm."""
    single = signal.dim() == 4 and signal.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if not (single and is_plain(signal)):
        return False
    samples = signal.shape[2] * signal.shape[3]
    return len(signal) * samples >= FEWEST_SAMPLES and minimal_filtering.pays_for(samples, dilation)


def convolve(signal: Tensor, weight: Tensor, bias: Tensor | None = None, dilation: int = 1) -> Tensor:
    """signal (B, C_in, H, W), weight (C_out, C_in, k), bias (C_out,) -> (B, C_out, H, W), channels last.

    Each item is one signal of H · W samples, row by row, with zeros around it; `dilation` counts its samples, so that W
    convolves each of the W columns alone.
    """
    return _Filtering.apply(signal, weight.flatten(2), bias, dilation)


def _parts(weight: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """weight (C_out, C_in, k) -> some output channels, and V_k w of them (n, channels, C_in), until the next are asked
    for: they are made in the same memory, since new memory costs more than the products."""
    taps, most = matrices(weight.shape[2], weight.dtype).taps, _part(weight)
    memory = weight.new_empty(len(taps) * min(most, len(weight)) * weight.shape[1])
    for first, part in zip(range(0, len(weight), most), weight.contiguous().split(most), strict=True):
        values = memory[: len(taps) * part.shape[0] * part.shape[1]].view(len(taps), *part.shape[:2])
        torch.mm(taps, part.view(-1, part.shape[2]).t(), out=values.flatten(1))
        yield slice(first, first + len(part)), values


def _part(weight: Tensor) -> int:
    """weight (C_out, C_in, k) -> output channels whose weights are worked on at once."""
    _, inputs, taps = weight.shape
    return max(1, VALUES // ((taps + OUTPUTS - 1) * inputs))


class _Filtering(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signal: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
        """signal (B, C_in, H, W), weight (C_out, C_in, k), bias (C_out,) -> (B, C_out, H, W), channels last."""
        ctx.save_for_backward(signal, weight)
        ctx.dilation = dilation
        samples, taps = _samples(signal), weight.shape[2]
        shape = len(signal), len(weight), *signal.shape[2:]
        result = torch.empty(shape, dtype=signal.dtype, device=signal.device, memory_format=torch.channels_last)
        seen, matrix = _seen(samples, Tiles(samples, taps, dilation)), matrices(taps, signal.dtype).outputs
        for channels, values in _parts(weight):
            made = torch.mm(matrix, torch.bmm(seen, values.transpose(1, 2)).flatten(1))
            part = _samples(result)[..., channels]
            made = Tiles(part, taps, dilation).joined(made)
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
    taps, samples, to_signal = weight.shape[2], _samples(signal), None
    constant, tiles = matrices(taps, signal.dtype), Tiles(samples, taps, dilation)
    mixed = torch.mm(constant.outputs.t(), Tiles(incoming, taps, dilation).apart(incoming))
    mixed = mixed.view(len(constant.taps), -1, len(weight))
    if wanted[0]:
        seen = None
        for channels, values in _parts(weight):
            part = mixed[..., channels]
            seen = torch.bmm(part, values) if seen is None else seen.baddbmm_(part, values)
        seen = torch.mm(constant.inputs.t(), seen.flatten(1))
        to_signal = tiles.summed(seen).unflatten(1, signal.shape[2:]).permute(0, 3, 1, 2)
    to_weight = _to_weight(mixed, _seen(samples, tiles), weight) if wanted[1] else None
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
        padding=[(weight.shape[2] - 1) // 2 * dilation],
        dilation=[dilation],
        transposed=False,
        output_padding=[0],
        groups=1,
        output_mask=list(wanted[:3]),
    )
    return to_signal if to_signal is None else to_signal.unflatten(2, signal.shape[2:]), to_weight, to_bias


def _to_weight(mixed: Tensor, seen: Tensor, weight: Tensor) -> Tensor:
    """The gradient at what tiles make, V_m of it (n, tiles, C_out), and what they see, V_n⁻ᵀ x (n, tiles, C_in) -> the
    gradient at the weight (C_out, C_in, k), for some output channels at a time."""
    taps, most = matrices(weight.shape[2], seen.dtype).taps, _part(weight)
    result = torch.empty_like(weight, memory_format=torch.contiguous_format)
    for part, out in zip(mixed.split(most, dim=2), result.split(most), strict=True):
        values = torch.bmm(part.transpose(1, 2), seen)
        torch.mm(values.flatten(1).t(), taps, out=out.view(-1, weight.shape[2]))
    return result


def _samples(signal: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H · W, C), a view if channels are last in memory."""
    return signal.permute(0, 2, 3, 1).flatten(1, 2)


def _seen(samples: Tensor, tiles: Tiles) -> Tensor:
    """samples (B, T, C) -> V_n⁻ᵀ x (n, B · count · d, C)."""
    inputs = matrices(tiles.size - OUTPUTS + 1, samples.dtype).inputs
    seen = torch.mm(inputs, tiles.seen(tiles.extended(samples)).flatten(1))
    return seen.view(len(seen), -1, tiles.channels)
