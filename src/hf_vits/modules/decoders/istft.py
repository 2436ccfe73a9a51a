"""Latents to waveform: iSTFT-VITS, stages of upsampling and one inverse STFT (Kaneko et al. 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from huggingface_hub.dataclasses import strict
from torch import Tensor

from hf_vits.modules.decoders.base import DECODERS
from hf_vits.modules.decoders.upsampled_spectrum import SpectrumConfig, SpectrumDecoder, sizes


@strict
@dataclass
class IstftConfig(SpectrumConfig):
    """Fields of [`~modules.decoders.upsampled_spectrum.SpectrumConfig`], with rates of 8 by default."""

    upsample_rates: list[int] = sizes(8, 8)

    title: ClassVar[str] = "iSTFT decoder"
    output_layer: ClassVar[str] = "conv_post"
    bands: ClassVar[int] = 1
    kernel_per_rate: ClassVar[int] = 2


@DECODERS.register("istft")
class IstftDecoder(SpectrumDecoder):
    """The spectrum is that of the whole waveform."""

    config_class = IstftConfig

    def merge(self, bands: Tensor) -> Tensor:
        """bands (B, 1, T) -> waveform (B, 1, T)."""
        return bands
