"""Period discriminator: every p-th sample of a waveform (Kong et al. 2020, section 2.3)."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.discriminators.base import (
    DISCRIMINATORS,
    Shapes,
    SubDiscriminator,
    SubDiscriminatorConfig,
    conv_shapes,
    count_weights,
    layer_features,
)
from hf_vits.modules.weight_norm import add_weight_norm
from hf_vits.utils.torch_state import has_kernel


@dataclass
class PeriodDiscriminatorConfig(SubDiscriminatorConfig):
    """
    Args:
        period (`int`):
            Number of columns that the waveform is folded into.
        channels (`list[int]`, *optional*, defaults to `[32, 128, 512, 1024, 1024]`):
            Output channels of each convolution.
        kernel_size, stride (`int`, *optional*, defaults to 5 and 3):
            Along time; the last convolution has stride 1.
    """

    period: int
    channels: list[int] | tuple[int, ...] = (32, 128, 512, 1024, 1024)
    kernel_size: int = 5
    stride: int = 3

    def check(self) -> None:
        """Raise `ValueError` for a value out of range."""
        super().check()
        if min([self.period, *self.channels]) < 1:
            raise ValueError("Periods, channels and scales must be above 0.")
        if min(self.kernel_size, self.stride) < 1 or self.kernel_size % 2 == 0:
            raise ValueError(
                f"`period_kernel_size` is {self.kernel_size} and `period_stride` {self.stride}; the first must be odd, "
                "and both above 0."
            )

    def count_parameters(self) -> int:
        """Return the number of weights."""
        return count_weights(self.channels, self.kernel_size)

    def describe(self) -> str:
        """Return the row of the model card."""
        return f"period {self.period}, channels {', '.join(map(str, self.channels))}"

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """Return channels and kernel size; the period and the stride do not appear in shapes."""
        convs = conv_shapes(shapes, 4)
        if convs is None:
            return None
        kernels = {shape[2:] for shape in convs}
        size, width = min(kernels)
        if len(kernels) > 1 or width != 1 or size % 2 == 0:
            raise ValueError(
                f"A period discriminator has kernels of the sizes {sorted(kernels)}; those of VITS are (k, 1) with one "
                "odd k."
            )
        return {"channels": [shape[0] for shape in convs], "kernel_size": size}


class PeriodConv2d(nn.Conv2d):
    """A convolution of kernel (k, 1), along each column of (B, C, T, columns)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int):
        super().__init__(in_channels, out_channels, (kernel, 1), (stride, 1), (kernel // 2, 0))

    @has_kernel("autograd", "discriminator_conv")
    def forward(self, signal: Tensor) -> Tensor:
        """signal (B, C_in, T, columns) -> (B, C_out, T / stride, columns)."""
        return super().forward(signal)


@DISCRIMINATORS.register("period")
class PeriodDiscriminator(SubDiscriminator):
    """Fold the waveform into `period` columns and convolve each along time."""

    config_class = PeriodDiscriminatorConfig

    def __init__(self, config: PeriodDiscriminatorConfig):
        super().__init__()
        self.period = config.period
        kernel, channels = config.kernel_size, [1, *config.channels]
        strides = [config.stride] * (len(config.channels) - 1) + [1]
        self.convs = nn.ModuleList(PeriodConv2d(channels[i], channels[i + 1], kernel, s) for i, s in enumerate(strides))
        self.conv_post = nn.Conv2d(channels[-1], 1, (3, 1), 1, (1, 0))
        add_weight_norm(self)

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """waveform (B, 1, T) -> features of each layer (B, C, T / strides, period), logits last."""
        short = -waveform.shape[-1] % self.period
        signal = F.pad(waveform, (0, short), mode="reflect").unflatten(-1, (-1, self.period))
        return layer_features(signal, self.convs, self.conv_post)
