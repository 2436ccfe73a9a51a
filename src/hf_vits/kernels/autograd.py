"""Functions with gradients of their own, for training: convolutions in fewer products on a CPU, and a leaky ReLU.

The algorithms are those of `winograd` and `fft_conv`. Weights are transformed in each pass, for a group of output
channels at a time; signals for a group of items at a time. Second-order gradients use direct convolutions.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.kernels import fft_conv, products, winograd
from hf_vits.kernels.winograd import Matrices, Tiles
from hf_vits.utils.torch_state import ConvNd, is_batched_gradient, is_ordinary

WEIGHT_VALUES = 2**20
"""Transformed weights of a group of output channels, which should stay in the cache."""

ITEM_VALUES = 2**21
"""Transformed values of a group of items; larger memory is freed and allocated again each time."""

FEWEST_SAMPLES = 128
"""Least samples of a batch; with fewer, transforming the weights costs more than it saves."""

FEWEST_CHANNELS = ((11, 64), (7, 128))
"""Least taps, beyond those of Winograd, and least channels of a layer that trains faster so."""

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]
"""Of signal (B, C_in, H, W), weight (C_out, C_in, k) and bias (C_out,); `None` where it is not wanted."""


def is_faster(layer: ConvNd) -> bool:
    """Return True for a convolution along one dimension that keeps the length and trains faster so.

    None does where MKL, which multiplies transformed signals, is slower than the library of direct convolutions.
    """
    if products.prefers_onednn():
        return False
    taps, channels = max(layer.kernel_size), min(layer.in_channels, layer.out_channels)
    if taps in winograd.POINTS:
        return winograd.is_faster(layer)
    return winograd.keeps_length(layer) and fft_conv.is_faster(channels, taps, FEWEST_CHANNELS)


def is_long_enough(signal: Tensor, taps: int, dilation: int = 1) -> bool:
    """Return True if a signal (B, C, H, W) is long enough, and of a precision that loses nothing."""
    single = signal.dim() == 4 and signal.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if not (single and signal.device.type == "cpu" and is_ordinary(signal)):
        return False
    samples = signal.shape[2] * signal.shape[3]
    if len(signal) * samples < FEWEST_SAMPLES:
        return False
    if taps in winograd.POINTS:
        return winograd.is_long_enough(samples, dilation)
    return samples >= 2 * dilation * len(matrices(taps, signal.dtype).outputs)


def discriminator_conv(plain: Callable, layer: ConvNd, signal: Tensor) -> Tensor:
    """Compute a convolution of a signal (B, C_in, T), or along the columns of one (B, C_in, T, columns)."""
    is_plane = signal.dim() == 4
    rows = signal if is_plane else signal.unsqueeze(2)
    if not (is_faster(layer) and is_long_enough(rows, layer.kernel_size[0])):
        return plain(layer, signal)
    result = convolve(rows, layer.weight, layer.bias, rows.shape[3] if is_plane else 1)
    return result if is_plane else result.squeeze(2)


def matrices(taps: int, dtype: torch.dtype) -> Matrices:
    """Return the matrices of the algorithm for this number of taps."""
    return (winograd if taps in winograd.POINTS else fft_conv).matrices(taps, dtype)


def convolve(signal: Tensor, weight: Tensor, bias: Tensor | None = None, dilation: int = 1) -> Tensor:
    """signal (B, C_in, H, W), weight (C_out, C_in, k), bias (C_out,) -> (B, C_out, H, W), channels last.

    Each item is one signal of H · W samples, row by row, with zeros around it; `dilation` is in its samples, so that a
    dilation of W convolves each of the W columns alone.
    """
    return _Convolution.apply(signal, weight.flatten(2), bias, dilation)


def _parts(weight: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """weight (C_out, C_in, k) -> groups of output channels and their transformed weights (r, channels, C_in).

    Each overwrites the one before, because new memory costs more than the products.
    """
    taps, most = matrices(weight.shape[2], weight.dtype).taps, _part(weight)
    memory = weight.new_empty(len(taps) * min(most, len(weight)) * weight.shape[1])
    for first, part in zip(range(0, len(weight), most), weight.contiguous().split(most), strict=True):
        values = memory[: len(taps) * part.shape[0] * part.shape[1]].view(len(taps), *part.shape[:2])
        torch.mm(taps, part.view(-1, part.shape[2]).t(), out=values.flatten(1))
        yield slice(first, first + len(part)), values


def _part(weight: Tensor) -> int:
    """weight (C_out, C_in, k) -> the number of output channels in a group."""
    _, inputs, taps = weight.shape
    return max(1, WEIGHT_VALUES // (len(matrices(taps, weight.dtype).taps) * inputs))


def _items(signal: Tensor, weight: Tensor, dilation: int) -> Iterator[slice]:
    """signal (B, T, C_in) and weight (C_out, C_in, k) -> groups of items of equal size."""
    constant = matrices(weight.shape[2], signal.dtype)
    tiles, channels = Tiles(signal, constant, dilation), max(weight.shape[:2])
    values = len(constant.inputs) * tiles.count * dilation * channels
    most = max(1, ITEM_VALUES // max(1, values))
    size = -(-len(signal) // max(1, -(-len(signal) // most)))
    return (slice(first, first + size) for first in range(0, len(signal), size))


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signal: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
        ctx.save_for_backward(signal, weight)
        ctx.dilation = dilation
        shape = len(signal), len(weight), *signal.shape[2:]
        result = torch.empty(shape, dtype=signal.dtype, device=signal.device, memory_format=torch.channels_last)
        samples = _samples(signal)
        for items in _items(samples, weight, dilation):
            _filter(samples[items], weight, bias, dilation, _samples(result)[items])
        return result

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        signal, weight = ctx.saved_tensors
        gradients = _direct_gradients if is_batched_gradient(gradient) or torch.is_grad_enabled() else _gradients
        with torch.autocast("cpu", enabled=False):
            return *gradients(_samples(gradient), signal, weight, ctx.dilation, ctx.needs_input_grad), None


def _filter(signal: Tensor, weight: Tensor, bias: Tensor | None, dilation: int, result: Tensor) -> None:
    """signal (B, T, C_in), weight (C_out, C_in, k), bias (C_out,): write to result (B, T, C_out)."""
    constant = matrices(weight.shape[2], signal.dtype)
    input_tiles = _transformed_inputs(signal, Tiles(signal, constant, dilation), constant)
    for channels, values in _parts(weight):
        output_tiles = torch.mm(constant.outputs, torch.bmm(input_tiles, values.transpose(1, 2)).flatten(1))
        part = result[..., channels]
        Tiles(part, constant, dilation).join(output_tiles, None if bias is None else bias[channels], part)


def _gradients(incoming: Tensor, signal: Tensor, weight: Tensor, dilation: int, wanted: Sequence[bool]) -> Gradients:
    """Output gradient (B, H · W, C_out), signal (B, C_in, H, W), weight (C_out, C_in, k) -> gradients."""
    samples, to_signals, to_weight = _samples(signal), [], None
    for items in _items(samples, weight, dilation):
        to_part, more = _group_gradients(incoming[items], samples[items], weight, dilation, wanted)
        to_signals.append(to_part)
        to_weight = more if to_weight is None else to_weight.add_(more)
    to_signal = None
    if wanted[0]:
        to_signal = to_signals[0] if len(to_signals) == 1 else torch.cat(to_signals)
        to_signal = to_signal.unflatten(1, signal.shape[2:]).permute(0, 3, 1, 2)
    return to_signal, to_weight, incoming.sum(dim=(0, 1)) if wanted[2] else None


def _group_gradients(
    incoming: Tensor, signal: Tensor, weight: Tensor, dilation: int, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Output gradient (B, T, C_out) of a group of items (B, T, C_in), weight (C_out, C_in, k) -> gradients of items and
    weight, `None` where `wanted` is false."""
    constant = matrices(weight.shape[2], signal.dtype)
    tiles, to_signal = Tiles(signal, constant, dilation), None
    mixed = torch.mm(constant.outputs.t(), Tiles(incoming, constant, dilation).split_outputs(incoming))
    mixed = mixed.view(len(constant.taps), -1, len(weight))
    if wanted[0]:
        input_tiles = None
        for channels, values in _parts(weight):
            part = mixed[..., channels]
            input_tiles = torch.bmm(part, values) if input_tiles is None else input_tiles.baddbmm_(part, values)
        to_signal = tiles.add_inputs(torch.mm(constant.inputs.t(), input_tiles.flatten(1)))
    return to_signal, _to_weight(mixed, _transformed_inputs(signal, tiles, constant), weight) if wanted[1] else None


def _direct_gradients(
    incoming: Tensor, signal: Tensor, weight: Tensor, dilation: int, wanted: Sequence[bool]
) -> Gradients:
    """Compute `_gradients` by operations that have gradients themselves."""
    incoming, samples = incoming.transpose(1, 2), _samples(signal).transpose(1, 2)
    padding, wanted = (weight.shape[2] - 1) // 2 * dilation, list(wanted[:3])
    to_signal, to_weight, to_bias = torch.ops.aten.convolution_backward(
        incoming, samples, weight, [len(weight)], [1], [padding], [dilation], False, [0], 1, wanted
    )
    return to_signal if to_signal is None else to_signal.reshape(signal.shape), to_weight, to_bias


def _to_weight(mixed: Tensor, input_tiles: Tensor, weight: Tensor) -> Tensor:
    """Transformed output gradients (r, tiles, C_out), inputs (r, tiles, C_in) -> weight gradient (C_out, C_in, k)."""
    taps, most = matrices(weight.shape[2], input_tiles.dtype).taps, _part(weight)
    result = torch.empty_like(weight, memory_format=torch.contiguous_format)
    for part, out in zip(mixed.split(most, dim=2), result.split(most), strict=True):
        values = torch.bmm(part.transpose(1, 2), input_tiles)
        torch.mm(values.flatten(1).t(), taps, out=out.view(-1, weight.shape[2]))
    return result


def _samples(signal: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H · W, C), a view if channels are last in memory."""
    batch, channels, height, width = signal.shape
    return signal.permute(0, 2, 3, 1).reshape(batch, height * width, channels)


def _transformed_inputs(samples: Tensor, tiles: Tiles, constant: Matrices) -> Tensor:
    """samples (B, T, C) -> the transformed inputs of tiles (r, B · count · d, C)."""
    input_tiles = torch.mm(constant.inputs, tiles.inputs(tiles.extended(samples)).flatten(1))
    return input_tiles.view(len(input_tiles), -1, tiles.channels)


def leaky_relu(plain: Callable, signal: Tensor, slope: float) -> Tensor:
    """Compute a leaky ReLU that saves its output for the backward pass, as the next convolution does anyway."""
    return _LeakyReLU.apply(signal, slope) if is_ordinary(signal) else plain(signal, slope)


class _LeakyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signal: Tensor, slope: float) -> Tensor:
        output = F.leaky_relu(signal, slope)
        ctx.save_for_backward(output)
        ctx.slope = slope
        return output

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (output,) = ctx.saved_tensors  # has the sign of the input
        return torch.ops.aten.leaky_relu_backward(gradient, output, ctx.slope, True), None
