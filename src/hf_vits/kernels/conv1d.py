"""Convolutions over signals (B, C, T) whose channels lie side by side in memory, which CPUs run fastest.

There a one-dimensional convolution is one of two dimensions, of height 1, in `torch.channels_last` memory: near the
speed of matrix products, which `conv1d` does not reach without AVX-512. In inference a layer whose form needs its
weights in another order prepares them once; in training, wide layers need fewer products as well.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.kernels import autograd, fft_conv, products, winograd
from hf_vits.utils.torch_state import is_inference, is_ordinary

T = TypeVar("T")
Derive = Callable[[nn.Module], T]

_cache: WeakKeyDictionary[nn.Module, dict[Derive, Any]] = WeakKeyDictionary()
"""By layer and function: versions of its tensors, what was derived from them, and aliases of them."""


class Form(NamedTuple):
    """The form of a layer in inference, by its shape, and whether training has fewer products too."""

    name: str
    trains_faster: bool


_forms: WeakKeyDictionary[nn.Module, Form] = WeakKeyDictionary()


def form(layer: nn.Conv1d) -> Form:
    """Return the form of a layer, which depends on its shape and the processor."""
    found = _forms.get(layer)
    if found is None:
        found = _forms[layer] = Form(_name(layer), autograd.is_faster(layer))
    return found


def _name(layer: nn.Conv1d) -> str:
    (kernel,), groups, inputs, outputs = layer.kernel_size, layer.groups, layer.in_channels, layer.out_channels
    channels = min(inputs, outputs)
    if kernel == groups == 1:
        return "packed" if products.is_faster(channels) else "product"
    if winograd.is_faster(layer):
        return "filtered"
    if kernel % 2 == 1 and groups == 1 and fft_conv.is_faster(channels, kernel, fft_conv.FEWEST_CHANNELS):
        return "spectrum"
    if kernel % 2 == 1 and groups == outputs:
        return "single" if groups == 1 else "depthwise" if groups == inputs else "direct"
    return "direct"


def conv(plain: Callable, layer: nn.Conv1d, signal: Tensor) -> Tensor:
    """Compute a convolution that keeps the length: signal (B, C_in, T) -> (B, C_out, T)."""
    if not is_ordinary(signal):
        return plain(layer, signal)
    (name, trains_faster), (kernel,), (dilation,) = form(layer), layer.kernel_size, layer.dilation
    if name in ("product", "packed") and signal.device.type == "cpu":
        rows = signal.transpose(1, 2)
        if is_inference(layer) and (name == "packed" or layer._modules):  # weight norm is folded
            weight, product = cached(layer, _matrix)
            return product(rows, weight, layer.bias).transpose(1, 2)
        return F.linear(rows, layer.weight.squeeze(2), layer.bias).transpose(1, 2)
    if not is_inference(layer):
        columns = channels_last(signal)
        if trains_faster and autograd.is_long_enough(columns, kernel, dilation):
            return autograd.convolve(columns, layer.weight, layer.bias, dilation).squeeze(2)
        return _convolve(layer, columns, _flat(layer))
    if signal.device.type == "cpu" and signal.dtype in (torch.float32, torch.float64):
        length, rows = signal.shape[-1], signal.transpose(1, 2)
        result = None
        if name == "spectrum" and fft_conv.is_long_enough(length, kernel, dilation):
            result = fft_conv.convolve(rows, cached(layer, fft_conv.spectrum), kernel, dilation, layer.bias)
        elif name == "filtered" and winograd.is_long_enough(length, dilation):
            result = winograd.convolve(rows, cached(layer, winograd.values), dilation, layer.bias)
        elif name in ("depthwise", "single"):
            result = (_single if name == "single" else _depthwise)(layer, rows)
        if result is not None:
            return result.transpose(1, 2)
    return _convolve(layer, channels_last(signal), cached(layer, _flat))


def upsample(plain: Callable, layer: nn.ConvTranspose1d, signal: Tensor) -> Tensor:
    """Compute a transposed convolution: signal (B, C_in, T) -> (B, C_out, rate · T).

    If the kernel is a whole number of rates, it is also an ordinary convolution: of T to T + kernel / rate - 1
    positions with `rate` · C_out channels, which in this memory layout are `rate` samples each.
    """
    if not is_ordinary(signal):
        return plain(layer, signal)
    (rate,), (kernel,), (first,) = layer.stride, layer.kernel_size, layer.padding
    columns = channels_last(signal)
    if kernel % rate or not is_inference(layer):
        return F.conv_transpose2d(columns, _flat(layer), layer.bias, stride=(1, rate), padding=(0, first)).squeeze(2)
    weight, bias = cached(layer, _phases)
    phases = F.conv2d(columns, weight, bias, padding=(0, kernel // rate - 1)).squeeze(2)
    samples = phases.transpose(1, 2).reshape(len(signal), -1, layer.out_channels)
    return samples[:, first : first + rate * signal.shape[-1]].transpose(1, 2)


def channels_last(signal: Tensor) -> Tensor:
    """signal (B, C, T) -> (B, C, 1, T), channels last in memory; a view if its channels lie side by side already."""
    return signal.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _depthwise(layer: nn.Conv1d, rows: Tensor) -> Tensor:
    """Convolve each channel alone: (B, T, C) -> (B, T, C)."""
    weight, middle = layer.weight.squeeze(1).t(), layer.kernel_size[0] // 2
    result = rows * weight[middle] if layer.bias is None else torch.addcmul(layer.bias, rows, weight[middle])
    for tap, outputs, inputs in _side_taps(layer, rows.shape[1]):
        result[:, outputs].addcmul_(rows[:, inputs], weight[tap])
    return result


def _single(layer: nn.Conv1d, rows: Tensor) -> Tensor:
    """Compute the terms of all taps of a layer of one output in one product: (B, T, C_in) -> (B, T, 1)."""
    terms = layer.weight[0].t() @ rows.transpose(1, 2)  # (B, k, T)
    result = terms[:, layer.kernel_size[0] // 2]
    for tap, outputs, inputs in _side_taps(layer, rows.shape[1]):
        result[:, outputs] += terms[:, tap, inputs]
    return (result if layer.bias is None else result + layer.bias).unsqueeze(2)


def _side_taps(layer: nn.Conv1d, length: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield each tap but the middle one, the outputs to which it contributes, and the inputs that it multiplies."""
    taps, dilation = layer.kernel_size[0], layer.dilation[0]
    for tap in range(taps):
        shift = min(length, max(-length, (tap - taps // 2) * dilation))
        if shift:
            yield tap, slice(max(0, -shift), length - max(0, shift)), slice(max(0, shift), length + min(0, shift))


def _convolve(layer: nn.Conv1d, columns: Tensor, weight: Tensor) -> Tensor:
    """columns (B, C_in, 1, T), weight (C_out, C_in, 1, k) -> (B, C_out, T)."""
    padding, dilation = (0, *layer.padding), (1, *layer.dilation)
    return F.conv2d(columns, weight, layer.bias, padding=padding, dilation=dilation, groups=layer.groups).squeeze(2)


def _flat(layer: nn.Module) -> Tensor:
    """Return the weight, (C_out, C_in, 1, k) or of a transposed convolution (C_in, C_out, 1, k), channels last."""
    return channels_last(layer.weight)


def _matrix(layer: nn.Conv1d) -> tuple[Tensor, Callable]:
    """Return the weight of a layer of one tap, and its product."""
    return products.prepared(layer.weight.squeeze(2))


def _phases(layer: nn.ConvTranspose1d) -> tuple[Tensor, Tensor]:
    """Return weight (rate · C_out, C_in, 1, kernel / rate), channels last, and bias (rate · C_out,).

    Sample rate · q + r, counted before the padding is cut off, is the sum over j of x[q - j] · w[rate · j + r].
    """
    rate = layer.stride[0]
    taps = layer.weight.unflatten(2, (-1, rate)).flip(2)  # (C_in, C_out, j, r), the latest sample last
    return channels_last(taps.permute(3, 1, 0, 2).flatten(0, 1)), layer.bias.repeat(rate)


def cached(layer: nn.Module, derive: Derive[T]) -> T:
    """
    Return `derive(layer)`, or the value of an earlier call if the layer's tensors are the same.

    Changes are noticed by the tensors' addresses and by PyTorch's count of writes, which writing to `parameter.data`
    does not raise: call `eval()` of the model after that. Values are neither saved nor copied with the layer.
    """
    tensors = layer.parameters() if layer._modules else layer._parameters.values()  # the second way is faster
    tensors = [tensor for tensor in tensors if tensor is not None]
    if not tensors or any(tensor.is_inference() for tensor in tensors):  # replicas, and tensors that count no writes
        return derive(layer)
    versions = [(tensor.data_ptr(), tensor.dtype, tensor._version) for tensor in tensors]
    held = _cache.setdefault(layer, {}).get(derive)
    if held is not None and held[0] == versions:
        return held[1]
    # An alias keeps the memory of each tensor, so that no other can get the same address.
    aliases = [tensor.detach() for tensor in tensors]
    with torch.inference_mode(False), torch.no_grad():
        value = derive(layer)
    _cache.setdefault(layer, {})[derive] = versions, value, aliases
    return value


def clear_cache_of(layer: nn.Module) -> None:
    """Drop what is cached of a layer."""
    _cache.pop(layer, None)


def clear_cache() -> None:
    """Drop what is cached of all layers."""
    _cache.clear()


def has_cache(layer: nn.Module) -> bool:
    """Return True if something is cached of a layer."""
    return bool(_cache.get(layer))
