"""Multi-resolution discriminator: magnitudes of one short-time Fourier transform (UnivNet, Jang et al. 2021)."""

from dataclasses import dataclass
from typing import Any

from huggingface_hub.dataclasses import strict
from torch import Tensor, nn

from hf_vits.discriminators.base import (
    DISCRIMINATORS,
    Shapes,
    SubDiscriminator,
    SubDiscriminatorConfig,
    conv_shapes,
    layer_features,
    spectral_convs,
    spectrum,
)
from hf_vits.modules.spectrogram import MAGNITUDE_FLOOR
from hf_vits.modules.weight_norm import add_weight_norm

RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
"""FFT size, hop and window of each, in samples, in UnivNet."""


@strict
@dataclass
class MultiResolutionConfig(SubDiscriminatorConfig):
    """
    Args:
        fft_size, hop_length, win_length (`int`, *optional*, defaults to 1024, 120 and 600):
            The resolution, in samples. UnivNet has three, each a sub-discriminator; see `usual`.
        channels (`int`, *optional*, defaults to 32):
            Output channels of each convolution.
    """

    fft_size: int = 1024
    hop_length: int = 120
    win_length: int = 600
    channels: int = 32

    def check(self) -> None:
        """Raise `ValueError` for a value out of range."""
        super().check()
        if min(self.hop_length, self.channels) < 1 or not self.hop_length <= self.win_length <= self.fft_size:
            raise ValueError(
                f"`hop_length` is {self.hop_length}, `win_length` {self.win_length}, `fft_size` {self.fft_size} and "
                f"`channels` {self.channels}; each of the first three must be at least the one before, all above 0."
            )

    def count_parameters(self) -> int:
        """Return the number of weights."""
        return self.channels * (27 + 3 * 27 * self.channels + 9 * self.channels + 9)

    def describe(self) -> str:
        """Return the row of the model card."""
        return f"FFT {self.fft_size}, hop {self.hop_length}, window {self.win_length}, channels {self.channels}"

    @classmethod
    def usual(cls) -> list["MultiResolutionConfig"]:
        """Return the three of UnivNet."""
        return [cls(*resolution) for resolution in RESOLUTIONS]

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """Raise `ValueError` for tensors of this sub-discriminator: its resolution does not appear in shapes."""
        convs = conv_shapes(shapes, 4)
        if convs is None or convs[0][1:] != (1, 3, 9):
            return None
        raise ValueError(
            "The file has a multi-resolution discriminator, whose FFT does not appear in the shapes of its weights. "
            "Keep the config.json that was saved with it beside the file."
        )


@DISCRIMINATORS.register("multi_resolution")
class MultiResolutionDiscriminator(SubDiscriminator):
    """Convolve the magnitudes of a short-time Fourier transform over frequency and time."""

    config_class = MultiResolutionConfig

    def __init__(self, config: MultiResolutionConfig):
        super().__init__()
        self.config, width = config, config.channels
        self.convs = spectral_convs(1, width)
        self.conv_post = nn.Conv2d(width, 1, 3, padding=1)
        add_weight_norm(self)

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """waveform (B, 1, T) -> features of each layer (B, C, F, frames / strides), logits last."""
        config = self.config
        values = spectrum(waveform, config.fft_size, config.hop_length, config.win_length)
        magnitudes = (values.real.square() + values.imag.square() + MAGNITUDE_FLOOR).sqrt()
        return layer_features(magnitudes.unsqueeze(1), self.convs, self.conv_post)
