"""Latents to waveform: Vocos, ConvNeXt blocks at frame rate and an inverse STFT (Siuzdak 2023)."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_vits.configuration_decoders import Shapes
from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv
from hf_vits.modules.decoders.base import DECODERS, Decoder, DecoderConfig
from hf_vits.modules.filter_banks import InverseStft, frames_around
from hf_vits.modules.masks import Valid, mask_from_lengths, zero_outside
from hf_vits.utils.config_validation import require

MAX_MAGNITUDE = 100.0
"""Limit of magnitudes, which are exponentials."""

INITIAL_STD = 0.02
"""Standard deviation of new weights."""


@strict
@dataclass
class VocosConfig(DecoderConfig):
    """
    Fields of Vocos; the defaults have 5.1 million weights, the paper's size 13.5.

    Args:
        channels, intermediate_channels (`int`):
            Width of the blocks, and between their two matrix products; 512 and 1536 in the paper.
        layers (`int`):
            Blocks; 8 in the paper.
        kernel_size (`int`):
            Frames of the first convolution and of those by channel, odd.
        fft_size (`int`):
            Samples of a frame of the spectrum.
        samples_per_frame (`int`, *optional*):
            Samples between two frames; by default a quarter of `fft_size`.
    """

    channels: int = 320
    intermediate_channels: int = 960
    layers: int = 7
    kernel_size: int = 7
    fft_size: int = 1024
    samples_per_frame: int | None = None

    @property
    def hop_length(self) -> int:
        """Samples per frame."""
        return self.fft_size // 4 if self.samples_per_frame is None else self.samples_per_frame

    @property
    def trim(self) -> int:
        """Samples of the overlapped frames that are left out at either end."""
        return (self.fft_size - self.hop_length) // 2

    @property
    def receptive_field(self) -> int:
        """Frames to either side of a frame that its samples depend on; 26 by default."""
        overlap = frames_around(self.fft_size, self.hop_length, self.trim)
        return (self.layers + 1) * (self.kernel_size // 2) + overlap

    @classmethod
    def fields_for_hop(cls, hop_length: int) -> dict[str, Any]:
        """Return the fields that give this decoder so many samples per frame."""
        return {"fft_size": 4 * hop_length}

    def check(self) -> None:
        """Raise `ValueError` for fields that contradict each other."""
        for field in fields(self):
            value = getattr(self, field.name)
            require(value is None or value > 0, f"`decoder` has `{field.name}` {value}; it must be above 0.")
        require(self.kernel_size % 2 == 1, f"`decoder` has `kernel_size` {self.kernel_size}; it must be odd.")
        size, hop = self.fft_size, self.hop_length
        require(
            0 < hop < size and size % 2 == hop % 2 == size % hop == 0,
            f"`decoder` has `fft_size` {size} and {hop} samples per frame; both must be even, and the first a multiple "
            "of the second, at least twice it.",
        )

    def count_layers(self) -> int:
        """Return the number of convolutions and matrix products."""
        return 2 + 3 * self.layers

    def count_parameters(self, latent_channels: int, speaker_channels: int) -> int:
        """Return the approximate number of weights."""
        ends = self.kernel_size * latent_channels + speaker_channels + self.fft_size + 2
        return self.channels * (ends + self.layers * (2 * self.intermediate_channels + self.kernel_size))

    def longest_span(self) -> int:
        """Return the most positions that one convolution spans."""
        return self.kernel_size

    def describe(self) -> str:
        """Return the row of the model card."""
        return (
            f"Vocos with {self.channels} channels in {self.layers} ConvNeXt block(s), inverse STFT of "
            f"{self.fft_size} samples, {self.hop_length} samples per frame"
        )

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """Return the fields that shapes determine, all but a hop of its own; `None` if it is another decoder."""
        first, head = shapes.get("embed.weight", ()), shapes.get("head.weight", ())
        blocks = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
        if not len(first) == len(head) == 3 or not blocks:
            return None
        inner = shapes.get("blocks.0.expand.weight", ())
        found = {"channels": first[0], "kernel_size": first[2], "layers": len(blocks), "fft_size": head[0] - 2}
        return {**found, "intermediate_channels": inner[0]} if len(inner) == 3 else found


class ConvNextBlock(GradientCheckpointingLayer):
    """A convolution by channel, then two matrix products with GELU between, added to the input (Liu et al. 2022)."""

    def __init__(self, config: VocosConfig):
        super().__init__()
        channels, inner = config.channels, config.intermediate_channels
        self.depthwise = Conv(channels, channels, config.kernel_size, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand, self.project = Conv(channels, inner, 1), Conv(inner, channels, 1)
        self.scale = nn.Parameter(torch.full((channels, 1), 1 / config.layers))

    def forward(self, signal: Tensor, valid: Valid = None) -> Tensor:
        """signal (B, C, T) -> (B, C, T); see `zero_outside`."""
        inner = self.norm(self.depthwise(zero_outside(signal, valid)).mT).mT
        return signal + self.scale * self.project(F.gelu(self.expand(inner)))


@DECODERS.register("vocos")
class Vocos(Decoder):
    """Blocks at the rate of frames, whose output is the magnitude and phase of each frame's spectrum."""

    config_class = VocosConfig

    def __init__(self, config: VitsConfig):
        super().__init__()
        own: VocosConfig = config.decoder_config
        self.embed = Conv(config.flow_size, own.channels, own.kernel_size)
        self.first_norm = nn.LayerNorm(own.channels, eps=1e-6)
        self.blocks = nn.ModuleList([ConvNextBlock(own) for _ in range(own.layers)])
        self.last_norm = nn.LayerNorm(own.channels, eps=1e-6)
        self.head = Conv(own.channels, own.fft_size + 2, 1)
        self.inverse_stft = InverseStft(own.fft_size, own.hop_length, own.trim)
        for layer in self.modules():
            if isinstance(layer, Conv):
                nn.init.trunc_normal_(layer.weight, std=INITIAL_STD)
                nn.init.zeros_(layer.bias)
        if config.speaker_embedding_size:
            self.cond = nn.Conv1d(config.speaker_embedding_size, own.channels, 1)

    def forward(self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None) -> Tensor:
        """latents (B, C, T_spec), speaker (B, S, 1), frame_lengths (B,) -> waveform (B, 1, T_wav) within ±1.

        With `frame_lengths`, each item is what it would be alone, and zero past its end.
        """
        mask = None if frame_lengths is None else mask_from_lengths(frame_lengths, latents.shape[-1], latents.dtype)
        signal = self.embed(zero_outside(latents, mask))
        if speaker is not None:
            signal = signal + self.cond(speaker)
        signal = self.first_norm(signal.mT).mT
        for block in self.blocks:
            signal = block(signal, mask)
        spectrum = self.head(self.last_norm(signal.mT).mT)
        spectrum = spectrum.to(torch.promote_types(spectrum.dtype, torch.float32))  # half precision is too coarse here
        magnitude, phase = spectrum.chunk(2, dim=1)
        magnitude = magnitude.exp().clamp(max=MAX_MAGNITUDE)
        waveform = self.inverse_stft(magnitude * phase.cos(), magnitude * phase.sin(), mask)
        if frame_lengths is not None:
            lengths = frame_lengths * self.inverse_stft.hop_length
            waveform = waveform * mask_from_lengths(lengths, waveform.shape[-1], waveform.dtype)
        waveform = waveform.to(latents.dtype)
        return waveform if self.training else waveform.clamp(-1, 1)
