"""The judges of adversarial training: periods and scales of the waveform (Kong et al. 2020, section 2.3)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig

from hf_vits.modeling_utils import StrictPreTrainedModel
from hf_vits.modules.kernel_lookup import has_kernel
from hf_vits.modules.weight_norm import add_weight_norm
from hf_vits.utils.config_validation import ReadWithoutTrust
from hf_vits.utils.model_size import check_judges_size

SLOPE = 0.1
"""Negative slope of every judge."""

SCALE_LAYERS = ((15, 1, 1), (41, 4, 4), (41, 4, 16), (41, 4, 64), (41, 4, 256), (5, 1, 1))
"""Kernel, stride and most groups of each convolution of a scale judge."""


@strict
class VitsDiscriminatorConfig(ReadWithoutTrust, PreTrainedConfig):
    r"""
    Configuration of a [`VitsDiscriminator`]; the defaults are those of VITS.

    Args:
        periods (`list[int]`, *optional*, defaults to `[2, 3, 5, 7, 11]`):
            Period of each period judge, in samples.
        period_channels (`list[int]`, *optional*, defaults to `[32, 128, 512, 1024, 1024]`):
            Channels of the convolutions of a period judge. Narrower ones make training on a CPU bearable.
        period_kernel_size, period_stride (`int`, *optional*, defaults to 5 and 3):
            Of those convolutions, along time; the last one has stride 1.
        scales (`int`, *optional*, defaults to 1):
            Number of scale judges: of the waveform as it is, at half the rate, at a quarter, … HiFi-GAN has 3.
        scale_channels (`list[int]`, *optional*, defaults to `[16, 64, 256, 1024, 1024, 1024]`):
            Channels of the convolutions of a scale judge.

    Raises:
        ValueError: for an impossible combination.
    """

    model_type = "hf_vits_discriminator"

    periods: list[int] | tuple[int, ...] = (2, 3, 5, 7, 11)
    period_channels: list[int] | tuple[int, ...] = (32, 128, 512, 1024, 1024)
    period_kernel_size: int = 5
    period_stride: int = 3
    scales: int = 1
    scale_channels: list[int] | tuple[int, ...] = (16, 64, 256, 1024, 1024, 1024)

    def __post_init__(self, **kwargs):
        """Checks at once, so that a caller meets a plain `ValueError`."""
        super().__post_init__(**kwargs)
        if not self.periods and not self.scales:
            raise ValueError("`periods` is empty and `scales` is 0; a discriminator needs a judge.")
        if self.scales and len(self.scale_channels) != len(SCALE_LAYERS):
            raise ValueError(
                f"`scale_channels` is {self.scale_channels}; a scale judge has {len(SCALE_LAYERS)} layers."
            )
        if min([*self.periods, *self.period_channels, *self.scale_channels, 1]) < 1 or self.scales < 0:
            raise ValueError("Periods, channels and scales must be above 0.")
        if min(self.period_kernel_size, self.period_stride) < 1 or self.period_kernel_size % 2 == 0:
            raise ValueError(
                f"`period_kernel_size` is {self.period_kernel_size} and `period_stride` {self.period_stride}; the "
                "first must be odd, and both above 0."
            )
        check_judges_size(self)


@dataclass
class DiscriminatorOutput:
    """What judges say of a waveform: logits (B, …) of each, and the features of its layers, the logits' last."""

    logits: list[Tensor]
    features: list[list[Tensor]]

    @classmethod
    def of(cls, features: Iterable[list[Tensor]]) -> "DiscriminatorOutput":
        """From the features of each judge."""
        features = list(features)
        return cls([layers[-1].flatten(1) for layers in features], features)


class PeriodConv2d(nn.Conv2d):
    """A convolution along each column of (B, C, T, columns); of kernel (k, 1)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int):
        super().__init__(in_channels, out_channels, (kernel, 1), (stride, 1), (kernel // 2, 0))

    @has_kernel("conv_autograd", "period_conv")
    def forward(self, signal: Tensor) -> Tensor:
        """signal (B, C_in, T, columns) -> (B, C_out, T / stride, columns)."""
        return super().forward(signal)


class ScaleConv1d(nn.Conv1d):
    """A convolution of (B, C, T)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, groups: int):
        super().__init__(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups)

    @has_kernel("conv_autograd", "scale_conv")
    def forward(self, signal: Tensor) -> Tensor:
        """signal (B, C_in, T) -> (B, C_out, T / stride)."""
        return super().forward(signal)


class PeriodDiscriminator(nn.Module):
    """Looks at every p-th sample: the waveform folded into p columns, convolutions along each."""

    def __init__(self, config: VitsDiscriminatorConfig, period: int):
        super().__init__()
        self.period = period
        kernel, stride, channels = config.period_kernel_size, config.period_stride, [1, *config.period_channels]
        strides = [stride] * (len(config.period_channels) - 1) + [1]
        self.convs = nn.ModuleList(PeriodConv2d(channels[i], channels[i + 1], kernel, s) for i, s in enumerate(strides))
        self.conv_post = nn.Conv2d(channels[-1], 1, (3, 1), 1, (1, 0))
        add_weight_norm(self)

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """waveform (B, 1, T) -> features of every layer (B, C, T / strides, period), logits last."""
        short = -waveform.shape[-1] % self.period
        signal = F.pad(waveform, (0, short), mode="reflect").unflatten(-1, (-1, self.period))
        return _features(signal, self.convs, self.conv_post)


class ScaleDiscriminator(nn.Module):
    """Looks at the waveform, halved some times by averaging, through long grouped convolutions."""

    def __init__(self, config: VitsDiscriminatorConfig, halvings: int = 0):
        super().__init__()
        self.halvings, channels = halvings, [1, *config.scale_channels]
        self.convs = nn.ModuleList()
        for i, (kernel, stride, most_groups) in enumerate(SCALE_LAYERS):
            groups = next(g for g in range(most_groups, 0, -1) if channels[i] % g == 0 and channels[i + 1] % g == 0)
            self.convs.append(ScaleConv1d(channels[i], channels[i + 1], kernel, stride, groups))
        self.conv_post = nn.Conv1d(channels[-1], 1, 3, 1, 1)
        add_weight_norm(self)

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """waveform (B, 1, T) -> features of every layer (B, C, T / strides), logits last."""
        for _ in range(self.halvings):
            waveform = F.avg_pool1d(waveform, 4, 2, 2)
        return _features(waveform, self.convs, self.conv_post)


class VitsDiscriminator(StrictPreTrainedModel):
    """
    All judges. Keys are the original's `discriminators.N`, the scale judge first.

    Example:

    ```python
    >>> import torch
    >>> from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig

    >>> judges = VitsDiscriminator(VitsDiscriminatorConfig())
    >>> len(judges(torch.zeros(1, 1, 8192)).logits)
    6
    ```
    """

    config_class = VitsDiscriminatorConfig
    base_model_prefix = "discriminator"
    main_input_name = "waveform"

    def __init__(self, config: VitsDiscriminatorConfig):
        super().__init__(config)
        scales = [ScaleDiscriminator(config, halvings) for halvings in range(config.scales)]
        self.discriminators = nn.ModuleList(
            [*scales, *(PeriodDiscriminator(config, period) for period in config.periods)]
        )
        self.post_init()

    def forward(self, waveform: Tensor) -> DiscriminatorOutput:
        """waveform (B, 1, T_seg) -> DiscriminatorOutput."""
        return DiscriminatorOutput.of(judge(waveform) for judge in self.discriminators)

    def sub_discriminators(self) -> Iterator[Callable[[Tensor], DiscriminatorOutput]]:
        """Functions that do as `forward` does for one judge each, so that only one's activations need be held."""
        for judge in self.discriminators:
            yield lambda waveform, judge=judge: DiscriminatorOutput.of([judge(waveform)])


def _features(signal: Tensor, convs: nn.ModuleList, conv_post: nn.Module) -> list[Tensor]:
    features: list[Tensor] = []
    for conv in convs:
        signal = F.leaky_relu(conv(signal), SLOPE, inplace=True)
        features.append(signal)
    return [*features, conv_post(signal)]
