"""Scale discriminator: a waveform at full or reduced rate (Kumar et al. 2019; Kong et al. 2020, section 2.3)."""

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

LAYERS = ((15, 1, 1), (41, 4, 4), (41, 4, 16), (41, 4, 64), (41, 4, 256), (5, 1, 1))
"""Kernel, stride and maximum number of groups of each convolution."""


@dataclass
class ScaleDiscriminatorConfig(SubDiscriminatorConfig):
    """
    Args:
        halvings (`int`, *optional*, defaults to 0):
            How often the waveform's rate is halved by averaging.
        channels (`list[int]`, *optional*, defaults to `[16, 64, 256, 1024, 1024, 1024]`):
            Output channels of each convolution.
    """

    halvings: int = 0
    channels: list[int] | tuple[int, ...] = (16, 64, 256, 1024, 1024, 1024)

    def check(self) -> None:
        """Raise `ValueError` for a value out of range."""
        super().check()
        if len(self.channels) != len(LAYERS):
            raise ValueError(f"`scale_channels` is {self.channels}; a scale discriminator has {len(LAYERS)} layers.")
        if min(self.channels) < 1 or self.halvings < 0:
            raise ValueError("Periods, channels and scales must be above 0.")

    def count_parameters(self) -> int:
        """Return the approximate number of weights."""
        return count_weights(self.channels, max(kernel for kernel, _, _ in LAYERS))

    def describe(self) -> str:
        """Return the row of the model card."""
        return f"rate / {2**self.halvings}, channels {', '.join(map(str, self.channels))}"

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """Return the channels; the rate does not appear in shapes."""
        convs = conv_shapes(shapes, 3)
        return convs and {"channels": [shape[0] for shape in convs]}


class ScaleConv1d(nn.Conv1d):
    """A convolution of (B, C, T)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, groups: int):
        super().__init__(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups)

    @has_kernel("autograd", "discriminator_conv")
    def forward(self, signal: Tensor) -> Tensor:
        """signal (B, C_in, T) -> (B, C_out, T / stride)."""
        return super().forward(signal)


@DISCRIMINATORS.register("scale")
class ScaleDiscriminator(SubDiscriminator):
    """Convolve the waveform, at a rate that is halved by averaging, with long grouped kernels."""

    config_class = ScaleDiscriminatorConfig

    def __init__(self, config: ScaleDiscriminatorConfig):
        super().__init__()
        self.halvings, channels = config.halvings, [1, *config.channels]
        self.convs = nn.ModuleList()
        for i, (kernel, stride, most_groups) in enumerate(LAYERS):
            groups = next(g for g in range(most_groups, 0, -1) if channels[i] % g == 0 and channels[i + 1] % g == 0)
            self.convs.append(ScaleConv1d(channels[i], channels[i + 1], kernel, stride, groups))
        self.conv_post = nn.Conv1d(channels[-1], 1, 3, 1, 1)
        add_weight_norm(self)

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """waveform (B, 1, T) -> features of each layer (B, C, T / strides), logits last."""
        for _ in range(self.halvings):
            waveform = F.avg_pool1d(waveform, 4, 2, 2)
        return layer_features(waveform, self.convs, self.conv_post)
