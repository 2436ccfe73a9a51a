"""Latents to waveform: HiFi-GAN's stages as far as a low rate, then an inverse STFT; three decoders.

iSTFT-VITS has one spectrum (Kaneko et al. 2022), MB-iSTFT-VITS one for each of four sub-bands, and MS-iSTFT-VITS one
for each of four streams, which a trained filter merges (Kawamura et al. 2022). Names and shapes of parameters, the
reflected sample before the last convolution, and the forms of magnitude and phase are those of the checkpoints of
MB-iSTFT-VITS. Upstream has no speaker vector here; it is added as in HiFi-GAN.
"""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.configuration_decoders import Shapes
from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv
from hf_vits.modules.decoders.base import DECODERS
from hf_vits.modules.decoders.hifigan import (
    ENDS_RECEPTIVE_FIELD,
    FINAL_SLOPE,
    INITIAL_STD,
    HifiGan,
    HifiGanConfig,
    blocks_receptive_field,
)
from hf_vits.modules.filter_banks import BANDS, EDGE, TAPS, InverseStft, merge_bands, split_bands
from hf_vits.modules.masks import Valid, mask_from_lengths, zero_outside
from hf_vits.utils.config_validation import require
from hf_vits.utils.torch_state import is_traced


def _sizes(*values: int | tuple[int, ...]) -> Any:
    """Return a dataclass field whose default is a new list of these numbers, or of lists of them."""
    return field(default_factory=lambda: [list(value) if isinstance(value, tuple) else value for value in values])


@strict
@dataclass
class SpectrumConfig(HifiGanConfig):
    """
    Fields of the iSTFT decoders; the defaults are those of the published checkpoints.

    Args:
        upsample_initial_channel (`int`):
            Channels of the first convolution, halved by each stage.
        upsample_rates, upsample_kernel_sizes (`list[int]`):
            Stride and kernel of each stage.
        resblock_kernel_sizes (`list[int]`), resblock_dilation_sizes (`list[list[int]]`), resblock_type (`str`):
            Residual blocks, as of HiFi-GAN.
        leaky_relu_slope (`float`):
            Negative slope between the layers.
        fft_size (`int`):
            Samples of a frame of the spectrum.
        samples_per_frame (`int`, *optional*):
            Samples of a band between two frames of the spectrum; by default a quarter of `fft_size`.
    """

    upsample_initial_channel: int = 512
    upsample_rates: list[int] = _sizes(4, 4)
    upsample_kernel_sizes: list[int] = _sizes(16, 16)
    resblock_kernel_sizes: list[int] = _sizes(3, 7, 11)
    resblock_dilation_sizes: list[list[int]] = _sizes((1, 3, 5), (1, 3, 5), (1, 3, 5))
    resblock_type: str = "1"
    leaky_relu_slope: float = 0.1
    fft_size: int = 16
    samples_per_frame: int | None = None

    title: ClassVar[str]
    """Name in the model card."""
    output_layer: ClassVar[str] = "subband_conv_post"
    """Name of the layer that predicts the spectra."""
    bands: ClassVar[int] = BANDS
    """Sub-bands, each of which has a spectrum."""
    kernel_per_rate: ClassVar[int] = 4
    """Kernel of a stage, in steps of its stride, in the published checkpoints."""

    @classmethod
    def of(cls, config: VitsConfig) -> "SpectrumConfig":
        """Return the decoder's part of a configuration, which is in `decoder`."""
        return super(HifiGanConfig, cls).of(config)  # which reads fields of HiFi-GAN alone

    @property
    def stft_hop(self) -> int:
        """Samples of a band between two frames of its spectrum."""
        return self.fft_size // 4 if self.samples_per_frame is None else self.samples_per_frame

    @property
    def hop_length(self) -> int:
        """Samples per frame."""
        return math.prod(self.upsample_rates) * self.stft_hop * self.bands

    @property
    def receptive_field(self) -> int:
        """Frames to either side of a frame that its samples depend on."""
        return max(self.sides_of_receptive_field)

    @property
    def sides_of_receptive_field(self) -> tuple[int, int]:
        """Frames before and after a frame that its samples depend on: from its samples back through the layers."""
        first, last, half = 0, self.hop_length - 1, self.fft_size // 2
        if self.bands > 1:
            first, last = _ceil(first - EDGE, self.bands), (last + EDGE) // self.bands
        # Frame f is about sample f · hop; the first sample of its window is 0.
        first, last = _ceil(first - half + 1, self.stft_hop), (last + half - 1) // self.stft_hop
        shift = 1  # by the sample that is reflected
        first, last = first - ENDS_RECEPTIVE_FIELD - shift, last + ENDS_RECEPTIVE_FIELD - shift
        blocks = blocks_receptive_field(self)
        for rate, kernel in zip(reversed(self.upsample_rates), reversed(self.upsample_kernel_sizes), strict=True):
            padding = (kernel - rate) // 2
            first, last = _ceil(first - blocks + padding - kernel + 1, rate), (last + blocks + padding) // rate
        return ENDS_RECEPTIVE_FIELD - first, ENDS_RECEPTIVE_FIELD + last

    @classmethod
    def fields_for_hop(cls, hop_length: int) -> dict[str, Any]:
        """Return the fields that give this decoder so many samples per frame, in at most two stages."""
        for stft_hop in (4, 2, 1):
            rate, rest = divmod(hop_length, cls.bands * stft_hop)
            if rest == 0 and rate > 1:
                first = next(one for one in range(math.isqrt(rate), 0, -1) if rate % one == 0)
                rates = [one for one in (rate // first, first) if one > 1]
                kernels = [cls.kernel_per_rate * one + one % 2 for one in rates]
                return {"upsample_rates": rates, "upsample_kernel_sizes": kernels, "fft_size": 4 * stft_hop}
        return {}

    def check(self) -> None:
        """Raise `ValueError` for fields that contradict each other."""
        super().check()
        size, hop = self.fft_size, self.stft_hop
        require(
            0 < hop < size and size % 2 == size % hop == 0,
            f"`decoder` has `fft_size` {size} and {hop} samples per frame; the first must be even, and a multiple of "
            "the second, at least twice it.",
        )
        require(
            math.prod(self.upsample_rates) > 1,
            f"`decoder` has `upsample_rates` {list(self.upsample_rates)}; their product must be 2 at least.",
        )

    def count_layers(self) -> int:
        """Return the approximate number of convolutions."""
        return super().count_layers() + 2

    def count_parameters(self, latent_channels: int, speaker_channels: int) -> int:
        """Return the approximate number of weights."""
        last = self.upsample_initial_channel // 2 ** len(self.upsample_rates)
        return super().count_parameters(latent_channels, speaker_channels) + 7 * last * self.bands * (self.fft_size + 2)

    def longest_span(self) -> int:
        """Return the most positions that one convolution spans."""
        return max(super().longest_span(), TAPS)

    def describe(self) -> str:
        """Return the row of the model card."""
        return (
            f"{self.title} of {self.upsample_initial_channel} channels, upsample rates {list(self.upsample_rates)}, "
            f"residual blocks of type {self.resblock_type}, inverse STFT of {self.fft_size} samples, "
            f"{self.hop_length} samples per frame"
        )

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """Return the fields that shapes determine, with strides as the published checkpoints have them beside kernels
        of that size; `None` if it is another decoder."""
        output = shapes.get(f"{cls.output_layer}.weight", ())
        size, rest = divmod(output[0] if len(output) == 3 else 0, cls.bands)
        if rest or size < 4:
            return None
        found = {**(super().from_shapes(shapes) or {}), "fft_size": size - 2}
        if kernels := found.get("upsample_kernel_sizes"):
            found["upsample_rates"] = [max(1, kernel // cls.kernel_per_rate) for kernel in kernels]
        return found


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)


class SpectrumDecoder(HifiGan):
    """HiFi-GAN's stages, magnitude and phase of each band's spectrum, and the inverse transform."""

    config_class: ClassVar[type[SpectrumConfig]]

    def add_output(self, own: SpectrumConfig, channels: int) -> int:
        """Add the layer that predicts the spectra; return the channels of the signal before it."""
        self.bands = own.bands
        self.output = own.output_layer
        layer = Conv(channels, own.bands * (own.fft_size + 2), 7)
        nn.init.normal_(layer.weight, std=INITIAL_STD)
        self.add_module(own.output_layer, layer)
        self.inverse_stft = InverseStft(own.fft_size, own.stft_hop, own.fft_size // 2)
        self.upsampling = own.hop_length // (own.stft_hop * own.bands)
        return channels

    def forward(self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None) -> Tensor:
        """latents (B, C, T_spec), speaker (B, S, 1), frame_lengths (B,) -> waveform (B, 1, T_wav) within ±1.

        With `frame_lengths`, each item is what it would be alone, and zero past its end.
        """
        return self.to_waveform(self.sub_bands(latents, speaker, frame_lengths), frame_lengths)

    def sub_bands(self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None) -> Tensor:
        """latents (B, C, T_spec), speaker (B, S, 1), frame_lengths (B,) -> (B, bands, T_wav / bands)."""
        return self._bands(super().forward(latents, speaker, frame_lengths), frame_lengths)

    def onnx_forward(
        self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None
    ) -> Tensor:
        """Compute `forward` with the stages as HiFi-GAN's graphs have them."""
        signal = super().onnx_forward(latents, speaker, frame_lengths)
        return self.to_waveform(self._bands(signal, frame_lengths), frame_lengths)

    def finish(self, signal: Tensor, valid: Valid = None) -> Tensor:
        """signal (B, C, T) of the last stage, which is written to -> the same, activated for the last convolution."""
        return zero_outside(F.leaky_relu(signal, FINAL_SLOPE, inplace=True), valid)

    def merge(self, bands: Tensor) -> Tensor:
        """bands (B, bands, T) -> waveform (B, 1, bands · T)."""
        raise NotImplementedError

    def to_waveform(self, bands: Tensor, frame_lengths: Tensor | None = None) -> Tensor:
        """sub-bands (B, bands, T) -> waveform (B, 1, bands · T), of the dtype of the weights."""
        waveform = self.merge(bands)
        waveform = _until(waveform, frame_lengths, self.upsampling * self.inverse_stft.hop_length * self.bands)
        waveform = waveform.to(self.conv_pre.bias.dtype)
        if self.training:
            return waveform
        limited = waveform.clamp(-1, 1)
        return limited if is_traced() else limited + (waveform - waveform)  # NaN of infinity

    def layers_with_weight_norm(self) -> list[nn.Module]:
        """Return the modules that are trained with weight norm and saved without it."""
        return [*super().layers_with_weight_norm(), self.conv_pre, getattr(self, self.output)]

    def _bands(self, signal: Tensor, frame_lengths: Tensor | None) -> Tensor:
        """signal (B, C, T) of `finish` -> sub-bands (B, bands, T · hop), at least in float32."""
        signal = torch.cat([signal[..., 1:2], signal], dim=-1)  # one sample is reflected, at the start only
        spectra = getattr(self, self.output)(signal)
        spectra = spectra.to(torch.promote_types(spectra.dtype, torch.float32))  # half precision is too coarse here
        length = signal.shape[-1]
        magnitude, phase = spectra.reshape(-1, self.inverse_stft.fft_size + 2, length).chunk(2, dim=1)
        magnitude, phase = magnitude.exp(), math.pi * phase.sin()
        mask = None
        if frame_lengths is not None:
            mask = mask_from_lengths(frame_lengths * self.upsampling + 1, length, spectra.dtype)
            mask = mask.expand(-1, self.bands, -1).reshape(-1, 1, length)
        with torch.autocast(signal.device.type, enabled=False):
            bands = self.inverse_stft(magnitude * phase.cos(), magnitude * phase.sin(), mask)
        bands = bands.reshape(-1, self.bands, bands.shape[-1])
        return _until(bands, frame_lengths, self.upsampling * self.inverse_stft.hop_length)


def _until(signal: Tensor, frame_lengths: Tensor | None, samples: int) -> Tensor:
    """Return the signal (B, C, T) with zeros past the end of each item, whose frames have so many samples."""
    if frame_lengths is None:
        return signal
    return signal * mask_from_lengths(frame_lengths * samples, signal.shape[-1], signal.dtype)


@strict
@dataclass
class IstftConfig(SpectrumConfig):
    """Fields of [`~modules.decoders.istft.SpectrumConfig`], with rates of 8 by default."""

    upsample_rates: list[int] = _sizes(8, 8)

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


@strict
@dataclass
class MultibandIstftConfig(SpectrumConfig):
    """Fields of [`~modules.decoders.istft.SpectrumConfig`]."""

    title: ClassVar[str] = "multi-band iSTFT decoder"
    losses: ClassVar[tuple[str, ...]] = ("subband_stft",)


@DECODERS.register("multiband_istft")
class MultibandIstftDecoder(SpectrumDecoder):
    """The sub-bands are those of a fixed filter bank."""

    config_class = MultibandIstftConfig

    def merge(self, bands: Tensor) -> Tensor:
        """bands (B, 4, T) -> waveform (B, 1, 4 · T)."""
        return merge_bands(bands)

    def forward_with_bands(self, latents: Tensor, speaker: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """latents (B, C, T_spec), speaker (B, S, 1) -> waveform (B, 1, T_wav), predicted bands (B, 4, T_wav / 4)."""
        bands = self.sub_bands(latents, speaker)
        return self.to_waveform(bands), bands


@strict
@dataclass
class MultistreamIstftConfig(SpectrumConfig):
    """Fields of [`~modules.decoders.istft.SpectrumConfig`]."""

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
        self.multistream_conv_post = nn.Conv1d(own.bands, 1, TAPS, bias=False)
        nn.init.normal_(self.multistream_conv_post.weight, std=INITIAL_STD)
        return super().add_output(own, channels)

    def merge(self, bands: Tensor) -> Tensor:
        """streams (B, 4, T) -> waveform (B, 1, 4 · T)."""
        return merge_bands(bands, self.multistream_conv_post.weight)

    def layers_with_weight_norm(self) -> list[nn.Module]:
        """Return the modules that are trained with weight norm and saved without it."""
        return [*super().layers_with_weight_norm(), self.multistream_conv_post]

    def forward_with_bands(self, latents: Tensor, speaker: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """latents (B, C, T_spec), speaker (B, S, 1) -> waveform (B, 1, T_wav), and its bands (B, 4, T_wav / 4): the
        streams are no bands."""
        waveform = self(latents, speaker)
        return waveform, split_bands(waveform)
