"""Latents to waveform: MB-iSTFT-VITS, an inverse STFT for each of four sub-bands (Kawamura et al. 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from huggingface_hub.dataclasses import strict
from torch import Tensor

from hf_vits.modules import pqmf
from hf_vits.modules.decoders.base import DECODERS
from hf_vits.modules.decoders.upsampled_spectrum import SpectrumConfig, SpectrumDecoder


@strict
@dataclass
class MultibandIstftConfig(SpectrumConfig):
    """Fields of [`~modules.decoders.upsampled_spectrum.SpectrumConfig`]."""

    title: ClassVar[str] = "multi-band iSTFT decoder"
    losses: ClassVar[tuple[str, ...]] = ("subband_stft",)


@DECODERS.register("multiband_istft")
class MultibandIstftDecoder(SpectrumDecoder):
    """The sub-bands are those of a fixed filter bank."""

    config_class = MultibandIstftConfig

    def merge(self, bands: Tensor) -> Tensor:
        """bands (B, 4, T) -> waveform (B, 1, 4 · T)."""
        return pqmf.merge(bands)

    def forward_with_bands(self, latents: Tensor, speaker: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """latents (B, C, T_spec), speaker (B, S, 1) -> waveform (B, 1, T_wav), predicted bands (B, 4, T_wav / 4)."""
        bands = self.sub_bands(latents, speaker)
        return self.to_waveform(bands), bands
