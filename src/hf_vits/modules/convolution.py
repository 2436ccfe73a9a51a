"""One-dimensional convolutions of the sizes that VITS has."""

from typing import Any

from torch import Tensor, nn

from hf_vits.utils.torch_state import HAS_KERNELS, find, has_kernel


class KernelLayer(nn.Module):
    """A layer of whose weights kernels may keep another form, which is dropped when mode, device or dtype changes."""

    def train(self, mode: bool = True) -> "KernelLayer":
        """Do as every module."""
        forget_weights(self)
        return super().train(mode)

    def _apply(self, *args: Any, **kwargs: Any) -> "KernelLayer":
        forget_weights(self)
        return super()._apply(*args, **kwargs)


def forget_weights(layer: nn.Module) -> None:
    """Drop what kernels keep of a layer's weights."""
    if HAS_KERNELS:
        find("hf_vits.kernels.conv1d").clear_cache_of(layer)


class Conv(KernelLayer, nn.Conv1d):
    """A convolution that keeps the length if its kernel is odd, and drops a sample if it is even."""

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

    @has_kernel("conv1d", "conv")
    def forward(self, signal: Tensor) -> Tensor:
        """signal (B, C_in, T) -> (B, C_out, T)."""
        return super().forward(signal)


class Upsample(KernelLayer, nn.ConvTranspose1d):
    """A transposed convolution that returns exactly `rate` samples for each input."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, rate: int):
        super().__init__(in_channels, out_channels, kernel, stride=rate, padding=(kernel - rate) // 2)

    @has_kernel("conv1d", "upsample")
    def forward(self, signal: Tensor) -> Tensor:
        """signal (B, C_in, T) -> (B, C_out, rate · T)."""
        return super().forward(signal)
