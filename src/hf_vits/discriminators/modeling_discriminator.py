"""VitsDiscriminator: the sub-discriminators of adversarial training in one model, with its configuration."""

from collections.abc import Callable, Iterator, Sequence

from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedConfig

from hf_vits.discriminators.base import DISCRIMINATORS, DiscriminatorOutput, SubDiscriminatorConfig
from hf_vits.discriminators.period import PeriodDiscriminatorConfig
from hf_vits.discriminators.scale import ScaleDiscriminatorConfig
from hf_vits.modeling_utils import StrictPreTrainedModel
from hf_vits.utils.config_validation import StrictConfigMixin
from hf_vits.utils.formatting import quoted
from hf_vits.utils.model_size import LONGEST_LIST, MOST_PARAMETERS, check_numbers
from hf_vits.utils.registry import config_of

FIELDS = (
    *("periods", "period_channels", "period_kernel_size", "period_stride"),
    *("scales", "scale_channels", "additional_discriminators"),
)
"""Fields of [`VitsDiscriminatorConfig`] itself."""


@strict
class VitsDiscriminatorConfig(StrictConfigMixin, PreTrainedConfig):
    r"""
    Configuration of a [`VitsDiscriminator`]; the defaults are those of VITS.

    Args:
        periods (`list[int]`, *optional*, defaults to `[2, 3, 5, 7, 11]`):
            Period of each period discriminator, in samples.
        period_channels (`list[int]`, *optional*, defaults to `[32, 128, 512, 1024, 1024]`):
            Channels of the convolutions of a period discriminator. Fewer make training on a CPU feasible.
        period_kernel_size, period_stride (`int`, *optional*, defaults to 5 and 3):
            Of those convolutions, along time; the last one has stride 1.
        scales (`int`, *optional*, defaults to 1):
            Number of scale discriminators: of the waveform as it is, at half the rate, at a quarter, … HiFi-GAN has 3.
        scale_channels (`list[int]`, *optional*, defaults to `[16, 64, 256, 1024, 1024, 1024]`):
            Channels of the convolutions of a scale discriminator.
        additional_discriminators (`list[dict]`, *optional*, defaults to `[]`):
            Further sub-discriminators: `{"type": name, ...}` with the name that each is registered by and its fields.

    Raises:
        ValueError: for an impossible combination, or an unknown sub-discriminator.
    """

    model_type = "hf_vits_discriminator"

    periods: list[int] | tuple[int, ...] = (2, 3, 5, 7, 11)
    period_channels: list[int] | tuple[int, ...] = (32, 128, 512, 1024, 1024)
    period_kernel_size: int = 5
    period_stride: int = 3
    scales: int = 1
    scale_channels: list[int] | tuple[int, ...] = (16, 64, 256, 1024, 1024, 1024)
    additional_discriminators: list[dict] | tuple[dict, ...] = ()

    @property
    def sub_discriminators(self) -> list[tuple[str, SubDiscriminatorConfig]]:
        """The registered name and the configuration of each sub-discriminator, in the order of their weights."""
        period = (self.period_channels, self.period_kernel_size, self.period_stride)
        return [
            *(("scale", ScaleDiscriminatorConfig(halvings, self.scale_channels)) for halvings in range(self.scales)),
            *(("period", PeriodDiscriminatorConfig(number, *period)) for number in self.periods),
            *((_type(fields), _additional(fields)) for fields in self.additional_discriminators),
        ]

    @classmethod
    def from_names(cls, names: Sequence[str]) -> "VitsDiscriminatorConfig":
        """
        Return the configuration of sub-discriminators by their registered names, each with its usual fields.

        Args:
            names (`Sequence[str]`):
                "period" and "scale" are those of VITS, "multi_resolution" and "multi_band" three of each kind.

        Raises:
            ValueError: for an unknown name, or none; lists the registered names.
        """
        kinds = {name: DISCRIMINATORS[name].config_class for name in names}
        return cls(
            periods=cls.periods if kinds.pop("period", None) else (),
            scales=cls.scales if kinds.pop("scale", None) else 0,
            additional_discriminators=[
                {"type": name, **vars(one)} for name, kind in kinds.items() for one in kind.usual()
            ],
        )

    def scale_channels_by(self, multiplier: float) -> "VitsDiscriminatorConfig":
        """Return a copy with so many times as many channels in each sub-discriminator, in multiples of 4."""
        fields = {name: getattr(self, name) for name in FIELDS}
        fields["period_channels"] = (
            PeriodDiscriminatorConfig(1, self.period_channels).scale_channels(multiplier).channels
        )
        fields["scale_channels"] = ScaleDiscriminatorConfig(0, self.scale_channels).scale_channels(multiplier).channels
        fields["additional_discriminators"] = [
            {"type": _type(one), **vars(_additional(one).scale_channels(multiplier))}
            for one in self.additional_discriminators
        ]
        return VitsDiscriminatorConfig(**fields)

    def __post_init__(self, **kwargs):
        """Check at once, so that a caller gets a plain `ValueError`."""
        super().__post_init__(**kwargs)
        if not (self.periods or self.scales or self.additional_discriminators):
            raise ValueError("`periods` is empty and `scales` is 0; there must be a sub-discriminator.")
        check_numbers({name: getattr(self, name) for name in FIELDS if name != "additional_discriminators"})
        if self.scales > LONGEST_LIST or len(self.additional_discriminators) > LONGEST_LIST:
            raise ValueError(f"`scales` is {self.scales}; the most is {LONGEST_LIST}, also of additional ones.")
        PeriodDiscriminatorConfig(1, self.period_channels, self.period_kernel_size, self.period_stride).check()
        for _, config in self.sub_discriminators:
            config.check()
        weights = sum(config.count_parameters() for _, config in self.sub_discriminators)
        if weights > MOST_PARAMETERS:
            raise ValueError(
                f"The configuration asks for {weights:.3g} weights of discriminators, and the most is "
                f"{MOST_PARAMETERS:,}. Correct its channels, or fetch it again."
            )
        if self.scales < 0 or min(self.scale_channels, default=1) < 1:
            raise ValueError("Periods, channels and scales must be above 0.")


def _type(fields: dict) -> str:
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise ValueError(
            f"`additional_discriminators` has {quoted(fields)}; it must be an object whose `type` is one of "
            f"{', '.join(DISCRIMINATORS)}."
        )
    return fields["type"]


def _additional(fields: dict) -> SubDiscriminatorConfig:
    return config_of(DISCRIMINATORS[_type(fields)].config_class, fields, "additional_discriminators")


class VitsDiscriminator(StrictPreTrainedModel):
    """
    All sub-discriminators. Keys are the original's `discriminators.N`, the scale discriminator first.

    Example:

    ```python
    >>> import torch
    >>> from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig

    >>> discriminator = VitsDiscriminator(VitsDiscriminatorConfig())
    >>> len(discriminator(torch.zeros(1, 1, 8192)).logits)
    6
    ```
    """

    config_class = VitsDiscriminatorConfig
    base_model_prefix = "discriminator"
    main_input_name = "waveform"

    def __init__(self, config: VitsDiscriminatorConfig):
        super().__init__(config)
        self.discriminators = nn.ModuleList(DISCRIMINATORS[name](own) for name, own in config.sub_discriminators)
        self.post_init()

    def forward(self, waveform: Tensor) -> DiscriminatorOutput:
        """waveform (B, 1, T_seg) -> DiscriminatorOutput."""
        return DiscriminatorOutput.of(sub_discriminator(waveform) for sub_discriminator in self.discriminators)

    def sub_discriminators(self) -> Iterator[Callable[[Tensor], DiscriminatorOutput]]:
        """Yield the `forward` of each sub-discriminator, so that the activations of one only need memory at a time."""
        for sub_discriminator in self.discriminators:
            yield lambda waveform, one=sub_discriminator: DiscriminatorOutput.of([one(waveform)])
