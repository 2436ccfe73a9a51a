"""One-dimensional convolutions in the memory layout that CPUs run fastest.

Signals are (B, C, 1, T) in `torch.channels_last` memory and convolutions are two-dimensional of height 1: CPUs then
run them near their matrix-product speed, which `conv1d` does not reach without AVX-512.
Checkpoints hold Conv1d shapes. To speak, without gradients, a layer whose form of convolution needs its weights in
another order prepares them once; to learn, wide layers need fewer products as well.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.kernels import conv_autograd, fft_conv, winograd
from hf_vits.kernels.weight_cache import CachedWeight, Prepares, is_plain, may_be_used
from hf_vits.utils.torch_state import is_traced


class Conv(Prepares, nn.Conv1d):
    """A one-dimensional convolution over (B, C, 1, T); an odd kernel keeps the length."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        dilation: int = 1,
        bias: bool = True,
        groups: int = 1,
    ):
        padding = dilation * (kernel - 1) // 2
        super().__init__(
            in_channels, out_channels, kernel, dilation=dilation, padding=padding, groups=groups, bias=bias
        )
        self.direct, self.spectrum, self.values = CachedWeight(_flat), CachedWeight(_spectrum), CachedWeight(_values)
        centred = kernel % 2 == 1
        channels = min(in_channels, out_channels)
        self.has_spectrum = centred and groups == 1 and fft_conv.is_faster(channels, kernel, fft_conv.FEWEST_CHANNELS)
        self.is_filtered, self.learns_filtered = winograd.is_faster(self), conv_autograd.is_faster(self)
        self.is_depthwise = centred and groups == in_channels == out_channels > 1
        self.is_single = centred and groups == out_channels == 1
        self.is_product = centred and kernel == groups == 1

    def forward(self, signal: Tensor) -> Tensor:
        """signal (B, C_in, 1, T) -> (B, C_out, 1, T)."""
        if self.is_product and signal.device.type == "cpu" and not is_traced():
            folded = may_be_used(self) and self._modules  # of weight norm
            weight = self.direct.of(self).flatten(1) if folded else self.weight.squeeze(2)
            return _columns(F.linear(_rows(signal), weight, self.bias))
        if not may_be_used(self):
            if self.learns_filtered and conv_autograd.is_long_enough(signal, self.kernel_size[0], self.dilation[0]):
                return conv_autograd.convolve(signal, self.weight, self.bias, self.dilation[0])
            return self._convolve(signal, _flat(self))
        length, kernel, dilation = signal.shape[-1], self.kernel_size[0], self.dilation[0]
        if signal.dtype in (torch.float32, torch.float64) and is_plain(signal):
            rows = _rows(signal)
            if self.has_spectrum and fft_conv.is_long_enough(length, kernel, dilation):
                return _columns(fft_conv.convolve(rows, self.spectrum.of(self), kernel, dilation, self.bias))
            if self.is_filtered and winograd.is_long_enough(length, dilation):
                return _columns(winograd.convolve(rows, self.values.of(self), dilation, self.bias))
            if self.is_depthwise:
                return _columns(self._depthwise(rows))
            if self.is_single:
                return _columns(self._single(rows))
        return self._convolve(signal, self.direct.of(self))

    def _depthwise(self, rows: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C): each channel alone."""
        weight, middle = self.weight.squeeze(1).t(), self.kernel_size[0] // 2
        made = rows * weight[middle] if self.bias is None else torch.addcmul(self.bias, rows, weight[middle])
        for tap, to, start in self._others(rows.shape[1]):
            made[:, to].addcmul_(rows[:, start], weight[tap])
        return made

    def _single(self, rows: Tensor) -> Tensor:
        """(B, T, C_in) -> (B, T, 1): what each tap gives, all in one product."""
        parts = self.weight[0].t() @ rows.transpose(1, 2)  # (B, k, T)
        made = parts[:, self.kernel_size[0] // 2]
        for tap, to, start in self._others(rows.shape[1]):
            made[:, to] += parts[:, tap, start]
        return (made if self.bias is None else made + self.bias).unsqueeze(2)

    def _others(self, length: int) -> Iterator[tuple[int, slice, slice]]:
        """For each tap but the middle one: which outputs it reaches, and the inputs that it sees for them."""
        taps, dilation = self.kernel_size[0], self.dilation[0]
        for tap in range(taps):
            shift = min(length, max(-length, (tap - taps // 2) * dilation))
            if shift:
                yield tap, slice(max(0, -shift), length - max(0, shift)), slice(max(0, shift), length + min(0, shift))

    def _convolve(self, signal: Tensor, weight: Tensor) -> Tensor:
        padding, dilation = (0, *self.padding), (1, *self.dilation)
        return F.conv2d(signal, weight, self.bias, padding=padding, dilation=dilation, groups=self.groups)


class Upsample(Prepares, nn.ConvTranspose1d):
    """A transposed convolution over (B, C, 1, T) that makes exactly `rate` samples of each.

    If the kernel is a whole number of rates, as it always is, it is also an ordinary convolution: of T to
    T + kernel / rate - 1 positions with `rate` · C_out channels, which in this memory layout are `rate` samples each.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, rate: int):
        super().__init__(in_channels, out_channels, kernel, stride=rate, padding=(kernel - rate) // 2)
        self.phases = CachedWeight(_phases)

    def forward(self, signal: Tensor) -> Tensor:
        """signal (B, C_in, 1, T) -> (B, C_out, 1, rate · T)."""
        rate, kernel = self.stride[0], self.kernel_size[0]
        if kernel % rate or not may_be_used(self):
            weight = self.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
            return F.conv_transpose2d(signal, weight, self.bias, stride=(1, rate), padding=(0, *self.padding))
        weight, bias = self.phases.of(self)
        made = F.conv2d(signal, weight, bias, padding=(0, kernel // rate - 1))
        samples = made.squeeze(2).transpose(1, 2).reshape(len(signal), -1, self.out_channels)
        first = self.padding[0]
        return samples[:, first : first + rate * signal.shape[-1]].transpose(1, 2).unsqueeze(2)


def channels_last(signal: Tensor) -> Tensor:
    """signal (B, C, T) -> (B, C, 1, T), channels last; a view, if its channels lie side by side already."""
    return signal.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _flat(layer: Conv) -> Tensor:
    """-> (C_out, C_in, 1, k), channels last."""
    return layer.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _spectrum(layer: Conv) -> Tensor:
    return fft_conv.spectrum(layer.weight)


def _values(layer: Conv) -> Tensor:
    return winograd.values(layer.weight)


def _rows(signal: Tensor) -> Tensor:
    """(B, C, 1, T) -> (B, T, C), a view: time before channels, as they lie in memory."""
    return signal.squeeze(2).transpose(1, 2)


def _columns(rows: Tensor) -> Tensor:
    """Undoes `_rows`."""
    return rows.transpose(1, 2).unsqueeze(2)


def _phases(layer: Upsample) -> tuple[Tensor, Tensor]:
    """-> weight (rate · C_out, C_in, 1, kernel / rate), channels last, and bias (rate · C_out,).

    Sample rate · q + r, counted before the padding is cut off, is the sum over j of x[q - j] · w[rate · j + r].
    """
    rate = layer.stride[0]
    taps = layer.weight.unflatten(2, (-1, rate)).flip(2)  # (C_in, C_out, j, r), the latest sample last
    weight = taps.permute(3, 1, 0, 2).flatten(0, 1).unsqueeze(2)
    return weight.contiguous(memory_format=torch.channels_last), layer.bias.repeat(rate)
