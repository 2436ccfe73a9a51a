"""One-dimensional convolutions in the memory layout that CPUs run fastest.

Signals are (B, C, 1, T) in `torch.channels_last` memory and convolutions are two-dimensional of height 1: CPUs then
run them near their matrix-product speed, which `conv1d` does not reach without AVX-512.
Checkpoints hold Conv1d shapes. To speak, without gradients, each layer prepares its weights once; to learn, wide
layers of five taps, as those of WaveNets, filter with fewer products.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.modules import frequency, minimal_filtering
from hf_vits.modules.prepared import Prepared, Prepares, may_be_used


class Conv(Prepares, nn.Conv1d):
    """A one-dimensional convolution over (B, C, 1, T); length is kept, unless `padding` is given."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        dilation: int = 1,
        bias: bool = True,
        groups: int = 1,
        padding: int | None = None,
    ):
        same = dilation * (kernel - 1) // 2
        super().__init__(
            in_channels,
            out_channels,
            kernel,
            dilation=dilation,
            padding=same if padding is None else padding,
            groups=groups,
            bias=bias,
        )
        self.direct, self.spectrum = Prepared(_flat), Prepared(_spectrum)
        whole = groups == 1 and self.padding[0] == same
        self.has_spectrum = whole and frequency.pays(min(in_channels, out_channels), kernel)
        self.is_filtered = minimal_filtering.pays(self)

    def forward(self, signal: Tensor) -> Tensor:
        """signal (B, C_in, 1, T) -> (B, C_out, 1, T)."""
        if not may_be_used(self):
            if self.is_filtered and minimal_filtering.pays_for(signal):
                return minimal_filtering.convolve(signal, self.weight, self.bias, self.dilation[0])
            return self._convolve(signal, _flat(self))
        kernel, dilation = self.kernel_size[0], self.dilation[0]
        exact = signal.device.type == "cpu" and signal.dtype in (torch.float32, torch.float64)
        if self.has_spectrum and exact and frequency.pays_for(signal.shape[-1], kernel, dilation):
            rows = signal.squeeze(2).transpose(1, 2)  # time before channels, as they lie in memory
            made = frequency.convolve(rows, self.spectrum.of(self), kernel, dilation, self.bias)
            return made.transpose(1, 2).unsqueeze(2)
        return self._convolve(signal, self.direct.of(self))

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
        self.phases = Prepared(_phases)

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


def _flat(layer: Conv) -> Tensor:
    """-> (C_out, C_in, 1, k), channels last."""
    return layer.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _spectrum(layer: Conv) -> Tensor:
    return frequency.spectrum(layer.weight)


def _phases(layer: Upsample) -> tuple[Tensor, Tensor]:
    """-> weight (rate · C_out, C_in, 1, kernel / rate), channels last, and bias (rate · C_out,).

    Sample rate · q + r, counted before the padding is cut off, is the sum over j of x[q - j] · w[rate · j + r].
    """
    rate = layer.stride[0]
    taps = layer.weight.unflatten(2, (-1, rate)).flip(2)  # (C_in, C_out, j, r), the latest sample last
    weight = taps.permute(3, 1, 0, 2).flatten(0, 1).unsqueeze(2)
    return weight.contiguous(memory_format=torch.channels_last), layer.bias.repeat(rate)
