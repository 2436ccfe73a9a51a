"""The base class of sub-discriminators, modules with a configuration class, and their registry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.utils.model_size import check_numbers
from hf_vits.utils.registry import Registry

SLOPE = 0.1
"""Negative slope of the leaky ReLU in every sub-discriminator."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass
class SubDiscriminatorConfig:
    """
    Fields of one sub-discriminator; subclass it as a dataclass, `strict` of `huggingface_hub.dataclasses` checks types.

    `VitsDiscriminatorConfig.additional_discriminators` holds them as dictionaries, with the registered name as
    `"type"`.
    """

    def check(self) -> None:
        """Raise `ValueError` for a value out of range, or fields that contradict each other."""
        check_numbers({field.name: getattr(self, field.name) for field in fields(self)})

    def count_parameters(self) -> int:
        """Return the approximate number of weights, for the limit of a model's size."""
        return 0

    def scale_channels(self, multiplier: float) -> "SubDiscriminatorConfig":
        """Return a copy with so many times as many `channels`, a number or a list; itself without this field. They are
        multiples of 4, so that grouped convolutions keep their groups. For `discriminator_channel_multiplier`."""
        channels = getattr(self, "channels", None)
        return self if channels is None else replace(self, channels=_scaled(channels, multiplier))

    def describe(self) -> str:
        """Return the row of the model card."""
        return ", ".join(f"{field.name} {getattr(self, field.name)}" for field in fields(self))

    @classmethod
    def usual(cls) -> Sequence["SubDiscriminatorConfig"]:
        """Return the sub-discriminators of this kind that are used together, for `discriminator_config`."""
        return [cls()]

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """
        Recognize this sub-discriminator by its tensors.

        Args:
            shapes (`Mapping[str, tuple[int, ...]]`):
                Shapes by the sub-discriminator's names (`"convs.0.weight"`), with a layer's weight under its name
                without weight norm.

        Returns:
            `dict[str, Any]`, *optional*: fields that the shapes determine; `None` if it is another sub-discriminator.
        """
        return None


class SubDiscriminator(nn.Module):
    """
    Waveform to features.

    Args:
        config ([`SubDiscriminatorConfig`]):
            An instance of `config_class`.
    """

    config_class: ClassVar[type[SubDiscriminatorConfig]]

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """waveform (B, 1, T) -> features of each layer (B, C, …), the logits last."""
        raise NotImplementedError


DISCRIMINATORS: Registry[type[SubDiscriminator]] = Registry(
    "sub-discriminator",
    {name: f"hf_vits.discriminators.{name}" for name in ("scale", "period", "multi_resolution", "multi_band")},
)
"""Classes of sub-discriminators by name."""


@dataclass
class DiscriminatorOutput:
    """Logits (B, …) of each sub-discriminator, and the features of its layers, the logits last."""

    logits: list[Tensor]
    features: list[list[Tensor]]

    @classmethod
    def of(cls, features: Iterable[list[Tensor]]) -> "DiscriminatorOutput":
        """Collect the features of each sub-discriminator."""
        features = list(features)
        return cls([layers[-1].flatten(1) for layers in features], features)


def spectrum(waveform: Tensor, fft_size: int, hop_length: int, win_length: int) -> Tensor:
    """waveform (B, 1, T) -> complex spectrum (B, F, frames), float32 under autocast too; Hann window, reflected edges.

    Raises:
        ValueError: if the waveform is too short to be reflected.
    """
    edge, size = (fft_size - hop_length) // 2, waveform.shape[-1]
    if size <= edge:
        raise ValueError(
            f"A segment has {size} samples, and a discriminator with an FFT of {fft_size} needs more than {edge}. "
            "Raise `segment_frames`, or configure a smaller FFT."
        )
    with torch.autocast(waveform.device.type, enabled=False):
        padded = F.pad(waveform.float(), (edge, edge), mode="reflect").squeeze(1)
        # No buffer: a model that is created without memory and then loaded has no values in those.
        window = torch.hann_window(win_length, device=waveform.device)
        return torch.stft(padded, fft_size, hop_length, win_length, window, center=False, return_complex=True)


def spectral_convs(inputs: int, channels: int) -> nn.ModuleList:
    """Return the convolutions over time and frequency of UnivNet (Jang et al. 2021) and descript-audio-codec (Kumar et
    al. 2023), of which three halve the last axis."""
    convs = [
        nn.Conv2d(inputs if number == 0 else channels, channels, (3, 9), (1, stride), (1, 4))
        for number, stride in enumerate((1, 2, 2, 2))
    ]
    return nn.ModuleList([*convs, nn.Conv2d(channels, channels, 3, padding=1)])


def layer_features(signal: Tensor, convs: nn.ModuleList, conv_post: nn.Module) -> list[Tensor]:
    """signal (B, C, …) -> outputs of all layers, each but the last activated."""
    features: list[Tensor] = []
    for conv in convs:
        signal = F.leaky_relu(conv(signal), SLOPE, inplace=True)
        features.append(signal)
    return [*features, conv_post(signal)]


def _scaled(channels: int | Iterable[int], multiplier: float) -> int | list[int]:
    """Return a number, or each of several, so many times as large, rounded to a multiple of 4."""
    if isinstance(channels, int):
        return max(4, round(channels * multiplier / 4) * 4)
    return [_scaled(number, multiplier) for number in channels]


def count_weights(channels: Iterable[int], kernel: int) -> int:
    """Return the number of weights of convolutions that follow each other, from a waveform to logits."""
    channels = list(channels)
    return sum(a * b * kernel for a, b in zip([1, *channels], [*channels, 1], strict=True))


def conv_shapes(shapes: Shapes, dims: int) -> list[tuple[int, ...]] | None:
    """Return the shapes of `convs.0`, `convs.1`, …; `None` if there are none, or not all of so many dimensions."""
    found: list[tuple[int, ...]] = []
    while (shape := shapes.get(f"convs.{len(found)}.weight")) is not None:
        found.append(tuple(shape))
    if not found or any(len(shape) != dims or 0 in shape for shape in found):
        return None
    return found
