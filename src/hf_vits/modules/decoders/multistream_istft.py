"""Latents to waveform: MS-iSTFT-VITS, inverse STFTs of four streams and a trained filter (Kawamura et al. 2022)."""

from dataclasses import dataclass
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from torch import Tensor, nn

from hf_vits.configuration_decoders import Shapes
from hf_vits.modules import pqmf
from hf_vits.modules.decoders.base import DECODERS
from hf_vits.modules.decoders.hifigan import INITIAL_STD
from hf_vits.modules.decoders.upsampled_spectrum import SpectrumConfig, SpectrumDecoder


@strict
@dataclass
class MultistreamIstftConfig(SpectrumConfig):
    """Fields of [`~modules.decoders.upsampled_spectrum.SpectrumConfig`]."""

    title: ClassVar[str] = "multi-stream iSTFT decoder"
    losses: ClassVar[tuple[str, ...]] = ("subband_stft",)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """Return the fields that shapes determine; `None` if it is another decoder."""
        return super().from_shapes(shapes) if "multistream_conv_post.weight" in shapes else None


@DECODERS.register("multistream_istft")
class MultistreamIstftDecoder(SpectrumDecoder):
    """The streams are filtered and added by one convolution, which is trained with the rest."""

    config_class = MultistreamIstftConfig

    def add_output(self, own: MultistreamIstftConfig, channels: int) -> int:
        """Add the layers that predict and merge the streams; return the channels of the signal before them."""
        self.multistream_conv_post = nn.Conv1d(own.bands, 1, pqmf.TAPS, bias=False)
        nn.init.normal_(self.multistream_conv_post.weight, std=INITIAL_STD)
        return super().add_output(own, channels)

    def merge(self, bands: Tensor) -> Tensor:
        """streams (B, 4, T) -> waveform (B, 1, 4 · T)."""
        return pqmf.merge(bands, self.multistream_conv_post.weight)

    def layers_with_weight_norm(self) -> list[nn.Module]:
        """Return the modules that are trained with weight norm and saved without it."""
        return [*super().layers_with_weight_norm(), self.multistream_conv_post]

    def forward_with_bands(self, latents: Tensor, speaker: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """latents (B, C, T_spec), speaker (B, S, 1) -> waveform (B, 1, T_wav), and its bands (B, 4, T_wav / 4): the
        streams are no bands."""
        waveform = self(latents, speaker)
        return waveform, pqmf.split(waveform)
