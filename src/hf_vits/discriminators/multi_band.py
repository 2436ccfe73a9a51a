"""Multi-band discriminator: a complex spectrum in frequency bands (Kumar et al. 2023, descript-audio-codec; Vocos)."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.discriminators.base import (
    DISCRIMINATORS,
    SLOPE,
    Shapes,
    SubDiscriminator,
    SubDiscriminatorConfig,
    spectral_convs,
    spectrum,
)
from hf_vits.modules.weight_norm import add_weight_norm

WINDOWS = (2048, 1024, 512)
"""Window of each, in samples; the hop is a quarter of it."""

BANDS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Limits of the frequency bands, as shares of half the sampling rate."""


@strict
@dataclass
class MultiBandConfig(SubDiscriminatorConfig):
    """
    Args:
        win_length (`int`, *optional*, defaults to 1024):
            Window and FFT size, in samples. The papers have three, each a sub-discriminator; see `usual`.
        channels (`int`, *optional*, defaults to 32):
            Output channels of each convolution.
    """

    win_length: int = 1024
    channels: int = 32

    def check(self) -> None:
        """Raise `ValueError` for a value out of range."""
        super().check()
        if self.channels < 1 or self.win_length < 32 or self.win_length % 4:
            raise ValueError(
                f"`win_length` is {self.win_length} and `channels` {self.channels}; the first must be a multiple of 4 "
                "from 32 up, and the second above 0."
            )

    def count_parameters(self) -> int:
        """Return the number of weights."""
        band = self.channels * (2 * 27 + 3 * 27 * self.channels + 9 * self.channels)
        return (len(BANDS) - 1) * band + 9 * self.channels

    def describe(self) -> str:
        """Return the row of the model card."""
        return f"window {self.win_length}, {len(BANDS) - 1} bands, channels {self.channels}"

    @classmethod
    def usual(cls) -> list["MultiBandConfig"]:
        """Return the three of the papers."""
        return [cls(window) for window in WINDOWS]

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """Raise `ValueError` for tensors of this sub-discriminator: its window does not appear in shapes."""
        if "bands.0.0.weight" not in shapes:
            return None
        raise ValueError(
            "The file has a multi-band discriminator, whose window does not appear in the shapes of its weights. Keep "
            "the config.json that was saved with it beside the file."
        )


@DISCRIMINATORS.register("multi_band")
class MultiBandDiscriminator(SubDiscriminator):
    """Convolve real and imaginary parts of a spectrum, with weights of their own for each frequency band."""

    config_class = MultiBandConfig

    def __init__(self, config: MultiBandConfig):
        super().__init__()
        self.window, bins = config.win_length, config.win_length // 2 + 1
        self.limits = [int(share * bins) for share in BANDS]
        self.bands = nn.ModuleList(spectral_convs(2, config.channels) for _ in BANDS[1:])
        self.conv_post = nn.Conv2d(config.channels, 1, 3, padding=1)
        add_weight_norm(self)

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """waveform (B, 1, T) -> features of each layer of each band (B, C, frames, bins / strides), logits last."""
        values = spectrum(waveform, self.window, self.window // 4, self.window)
        signal = torch.view_as_real(values).permute(0, 3, 2, 1)  # (B, 2, frames, bins)
        features, outputs = [], []
        for convs, (low, high) in zip(self.bands, pairwise(self.limits), strict=True):
            band = signal[..., low:high]
            for conv in convs:
                band = F.leaky_relu(conv(band), SLOPE)
                features.append(band)
            outputs.append(band)
        return [*features, self.conv_post(torch.cat(outputs, dim=-1))]
