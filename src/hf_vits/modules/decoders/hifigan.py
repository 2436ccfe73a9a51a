"""Latents to waveform: the HiFi-GAN generator (Kong et al. 2020)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_vits.configuration_decoders import Shapes
from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv, Upsample
from hf_vits.modules.decoders.base import DECODERS, Decoder, DecoderConfig
from hf_vits.modules.masks import Valid, mask_from_lengths, zero_outside
from hf_vits.utils.config_validation import require
from hf_vits.utils.formatting import quoted
from hf_vits.utils.model_size import check_numbers
from hf_vits.utils.torch_state import has_kernel, is_traced

FINAL_SLOPE = 0.01
"""Negative slope before the last convolution, whatever `leaky_relu_slope` is: voices were trained so."""

ENDS_RECEPTIVE_FIELD = 3
"""Samples to either side that the first and the last convolution see, which have seven taps."""

NARROW = 64
"""Channels up to which ONNX graphs decode a stage as two rows. onnxruntime shares a convolution among threads by rows,
and by as many channels as this (with AVX-512, half as many with AVX2): one row of fewer it leaves to one thread."""

INITIAL_STD = 0.01
"""Standard deviation of new weights between the first and the last convolution."""


@dataclass
class HifiGanConfig(DecoderConfig):
    """Fields of HiFi-GAN, which [`VitsConfig`] has under the same names, as upstream's does."""

    upsample_initial_channel: int
    upsample_rates: list[int]
    upsample_kernel_sizes: list[int]
    resblock_kernel_sizes: list[int]
    resblock_dilation_sizes: list[list[int]]
    resblock_type: str
    leaky_relu_slope: float = 0.1

    @classmethod
    def of(cls, config: VitsConfig) -> "HifiGanConfig":
        """Return the decoder's part of a configuration."""
        return cls(**{field.name: getattr(config, field.name) for field in fields(cls)})

    @property
    def hop_length(self) -> int:
        """Samples per frame."""
        return math.prod(self.upsample_rates)

    @property
    def receptive_field(self) -> int:
        """Frames to either side of a frame that its samples depend on; 13 in the paper's size."""
        receptive_field = ENDS_RECEPTIVE_FIELD  # in samples
        for rate, kernel in zip(reversed(self.upsample_rates), reversed(self.upsample_kernel_sizes), strict=True):
            receptive_field = receptive_field_before(receptive_field + blocks_receptive_field(self), rate, kernel)
        return receptive_field + ENDS_RECEPTIVE_FIELD

    def count_products(self, latent_channels: int) -> int:
        """Return the number of products of its convolutions for a frame, without its output layer."""
        channels, samples = self.upsample_initial_channel, 1
        products = (2 * ENDS_RECEPTIVE_FIELD + 1) * latent_channels * channels
        shapes = zip(self.resblock_kernel_sizes, self.resblock_dilation_sizes, strict=True)
        taps = (1 + (self.resblock_type == "1")) * sum(kernel * len(dilations) for kernel, dilations in shapes)
        for rate, kernel in zip(self.upsample_rates, self.upsample_kernel_sizes, strict=True):
            products += samples * kernel * channels * (channels // 2)
            channels, samples = channels // 2, samples * rate
            products += samples * taps * channels**2
        return products

    def check_fields(self) -> None:
        """Raise `ValueError` for a value that is out of range on its own."""
        rows = self.resblock_dilation_sizes
        whole = all(isinstance(row, list | tuple) and all(type(d) is int for d in row) for row in rows)
        require(whole, f"`resblock_dilation_sizes` is {quoted(rows)}; it must be a list of lists of whole numbers.")
        super().check_fields()
        for row in rows:
            check_numbers({"resblock_dilation_sizes": row})

    def check(self) -> None:
        """Raise `ValueError` for fields that contradict each other."""
        channels, stages = self.upsample_initial_channel, len(self.upsample_rates)
        require(channels > 0, f"`upsample_initial_channel` is {channels}; it must be above 0.")
        require(math.isfinite(self.leaky_relu_slope), f"`leaky_relu_slope` is {self.leaky_relu_slope}.")
        self._check_upsampling()
        require(
            channels % 2**stages == 0,
            f"`upsample_initial_channel` ({channels}) must be a multiple of {2**stages}: {stages} stages halve it.",
        )
        self._check_blocks()

    def _check_upsampling(self) -> None:
        rates, kernels = list(self.upsample_rates), list(self.upsample_kernel_sizes)
        require(
            len(rates) == len(kernels) and len(rates) > 0,
            f"`upsample_rates` has {len(rates)} stages ({rates}) and `upsample_kernel_sizes` {len(kernels)} "
            f"({kernels}); they must have the same number, at least one.",
        )
        for rate, kernel in zip(rates, kernels, strict=True):
            require(
                rate > 0 and kernel >= rate and (kernel - rate) % 2 == 0,
                f"An upsampling kernel of {kernel} does not fit its rate of {rate}: kernel minus rate must be even and "
                "not negative, or frames would not become exactly `rate` samples each.",
            )

    def _check_blocks(self) -> None:
        blocks, dilations = list(self.resblock_kernel_sizes), list(self.resblock_dilation_sizes)
        require(
            len(blocks) == len(dilations) and len(blocks) > 0,
            f"`resblock_kernel_sizes` has {len(blocks)} blocks ({blocks}) and `resblock_dilation_sizes` "
            f"{len(dilations)} ({dilations}); they must have the same number, at least one.",
        )
        require(all(k % 2 == 1 for k in blocks), f"`resblock_kernel_sizes` is {blocks}; every kernel must be odd.")
        require(
            all(len(row) > 0 and all(d > 0 for d in row) for row in dilations),
            f"`resblock_dilation_sizes` is {dilations}; each block needs one or more dilations above 0.",
        )
        kind = self.resblock_type
        require(kind in ("1", "2"), f"`resblock_type` is {kind!r}; HiFi-GAN has '1' and '2'.")

    def count_layers(self) -> int:
        """Return the approximate number of convolutions."""
        return len(self.upsample_rates) * (1 + 2 * sum(len(row) for row in self.resblock_dilation_sizes))

    def count_parameters(self, latent_channels: int, speaker_channels: int) -> int:
        """Return the approximate number of weights."""
        channels = self.upsample_initial_channel
        total = channels * (7 * latent_channels + speaker_channels)
        for kernel in self.upsample_kernel_sizes:
            total += channels * (channels // 2) * kernel
            channels //= 2
            blocks = zip(self.resblock_kernel_sizes, self.resblock_dilation_sizes, strict=False)
            total += sum(2 * len(row) * channels * channels * size for size, row in blocks)
        return total

    def longest_span(self) -> int:
        """Return the most positions that one convolution spans."""
        blocks = zip(self.resblock_kernel_sizes, self.resblock_dilation_sizes, strict=False)
        return max([1, *self.upsample_kernel_sizes, *(kernel * max(row, default=0) for kernel, row in blocks)])

    def describe(self) -> str:
        """Return the row of the model card."""
        return (
            f"HiFi-GAN of {self.upsample_initial_channel} channels, upsample rates {list(self.upsample_rates)}, "
            f"residual blocks of type {self.resblock_type}, {self.hop_length} samples per frame"
        )

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> dict[str, Any] | None:
        """Return the fields that shapes determine, all but strides and dilations; `None` if it is another decoder."""
        stages, blocks = _count(shapes, "upsampler"), _count(shapes, "resblocks")
        if not stages and not blocks and "conv_pre.weight" not in shapes:
            return None
        kind = "2" if any(name.startswith("resblocks.0.convs.") for name in shapes) else "1" if blocks else None
        first = "convs.0" if kind == "2" else "convs1.0"
        kernels = [_size(shapes, f"upsampler.{stage}", 2) for stage in range(stages)]
        widths = [_size(shapes, f"resblocks.{block}.{first}", 2) for block in range(blocks // max(stages, 1))]
        found = {
            "upsample_initial_channel": _size(shapes, "conv_pre", 0),
            "upsample_kernel_sizes": None if None in kernels else kernels,
            "resblock_type": kind,
            "resblock_kernel_sizes": None if None in widths else widths,
        }
        return {name: value for name, value in found.items() if value not in (None, 0, [])}


def _count(shapes: Shapes, part: str) -> int:
    """Return the number of layers that are numbered from 0 without a gap."""
    numbers = {name.split(".")[1] for name in shapes if name.startswith(f"{part}.")}
    return next(number for number in range(len(numbers) + 1) if str(number) not in numbers)


def _size(shapes: Shapes, layer: str, axis: int) -> int | None:
    """Return one size of a convolution's weight; `None` if there is no such layer, or it is damaged."""
    shape = shapes.get(f"{layer}.weight", ())
    return shape[axis] if len(shape) == 3 and 0 not in shape else None


@has_kernel("autograd", "leaky_relu", gradients=True)
def leaky_relu(signal: Tensor, slope: float) -> Tensor:
    """signal (any shape) -> the same shape."""
    return F.leaky_relu(signal, slope)


class ResidualBlock1(GradientCheckpointingLayer):
    """Type 1: per dilation a dilated and a plain convolution, added to their input."""

    def __init__(self, channels: int, kernel: int, dilations: list[int], slope: float):
        super().__init__()
        self.convs1 = nn.ModuleList([Conv(channels, channels, kernel, dilation) for dilation in dilations])
        self.convs2 = nn.ModuleList([Conv(channels, channels, kernel) for _ in dilations])
        self.slope = slope

    def forward(self, signal: Tensor, activated: Tensor, valid: Valid = None) -> Tensor:
        """signal (B, C, T) and its leaky ReLU, which parallel blocks share -> (B, C, T); see `zero_outside`."""
        for layer, (dilated, plain) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            inner = dilated(zero_outside(leaky_relu(signal, self.slope), valid) if layer else activated)
            signal = plain(zero_outside(F.leaky_relu(inner, self.slope, inplace=True), valid)).add_(signal)
        return signal


class ResidualBlock2(GradientCheckpointingLayer):
    """Type 2: one dilated convolution per dilation, added to its input."""

    def __init__(self, channels: int, kernel: int, dilations: list[int], slope: float):
        super().__init__()
        self.convs = nn.ModuleList([Conv(channels, channels, kernel, dilation) for dilation in dilations])
        self.slope = slope

    def forward(self, signal: Tensor, activated: Tensor, valid: Valid = None) -> Tensor:
        """signal (B, C, T) and its leaky ReLU, which parallel blocks share -> (B, C, T); see `zero_outside`."""
        for layer, dilated in enumerate(self.convs):
            inner = zero_outside(leaky_relu(signal, self.slope), valid) if layer else activated
            signal = dilated(inner).add_(signal)
        return signal


def blocks_receptive_field(config: HifiGanConfig) -> int:
    """Return the samples to either side that the residual blocks of a stage mix into a sample, at the stage's rate."""
    pairs = config.resblock_type == "1"  # each dilated convolution is followed by a plain one
    shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    return max((kernel - 1) // 2 * sum(rate + pairs for rate in dilations) for kernel, dilations in shapes)


def receptive_field_before(receptive_field: int, rate: int, kernel: int) -> int:
    """Return the receptive field before an upsampling, in its input samples, from that after it in output samples."""
    padding = (kernel - rate) // 2
    return max((receptive_field + kernel - 1 - padding) // rate, (receptive_field + padding - 1) // rate + 1)


@DECODERS.register("hifigan")
class HifiGan(Decoder):
    """Stages of upsampling, each followed by the mean of parallel residual blocks."""

    config_class = HifiGanConfig

    def __init__(self, config: VitsConfig):
        super().__init__()
        own: HifiGanConfig = config.decoder_config
        channels = own.upsample_initial_channel
        block = ResidualBlock1 if own.resblock_type == "1" else ResidualBlock2
        shapes = list(zip(own.resblock_kernel_sizes, own.resblock_dilation_sizes, strict=True))
        self.slope = own.leaky_relu_slope
        self.conv_pre = Conv(config.flow_size, channels, 7)
        self.upsampler, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(own.upsample_rates, own.upsample_kernel_sizes, strict=True):
            self.upsampler.append(Upsample(channels, channels // 2, kernel, rate))
            channels //= 2
            self.resblocks.extend(block(channels, kernel, dilations, self.slope) for kernel, dilations in shapes)
        for conv in [*self.upsampler.modules(), *self.resblocks.modules()]:
            if isinstance(conv, Conv | Upsample):
                nn.init.normal_(conv.weight, std=INITIAL_STD)
        self.blocks_per_stage, self.block_context = len(shapes), blocks_receptive_field(own)
        self.output_channels = self.add_output(own, channels)
        if config.speaker_embedding_size:
            self.cond = nn.Conv1d(config.speaker_embedding_size, own.upsample_initial_channel, 1)

    def add_output(self, own: HifiGanConfig, channels: int) -> int:
        """Add the layers behind the last stage, of so many channels; return the channels of what `finish` returns."""
        self.conv_post = Conv(channels, 1, 7, bias=False)
        return 1

    @has_kernel("inference", "decode", gradients=False)
    def forward(self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None) -> Tensor:
        """latents (B, C, T_spec), speaker (B, S, 1), frame_lengths (B,) -> waveform (B, 1, T_wav) within ±1.

        With `frame_lengths`, each item is what it would be alone, and zero past its end.
        """
        return self._decode(latents, speaker, frame_lengths, self.residual_blocks)

    def onnx_forward(
        self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None
    ) -> Tensor:
        """Compute `forward` on signals of rows (B, C, rows, T), which onnxruntime runs faster; see `NARROW`."""
        rows = latents.unsqueeze(2), None if speaker is None else speaker.unsqueeze(2), frame_lengths
        return self._decode(*rows, self._residual_blocks_of_halves).squeeze(2)

    def _decode(
        self, latents: Tensor, speaker: Tensor | None, frame_lengths: Tensor | None, residual_blocks: Callable
    ) -> Tensor:
        condition = None if speaker is None else self.cond(speaker)
        signal, lengths, mask = latents, frame_lengths, _mask(frame_lengths, latents)
        for stage, upsampler in enumerate(self.upsampler):
            signal = self.upsample(stage, signal, condition, mask)
            lengths = None if lengths is None else lengths * upsampler.stride[0]
            mask = _mask(lengths, signal)
            signal = residual_blocks(stage, signal, mask)
        return zero_outside(self.finish(signal, mask), mask)

    def upsample(self, stage: int, signal: Tensor, condition: Tensor | None, valid: Valid = None) -> Tensor:
        """signal (B, C, T), latents in the first stage, condition (B, C, 1) -> (B, C / 2, rate · T)."""
        if stage == 0:
            signal = self.conv_pre(zero_outside(signal, valid))
            signal = signal if condition is None else signal + condition
        return self.upsampler[stage](zero_outside(leaky_relu(signal, self.slope), valid))

    def residual_blocks(self, stage: int, signal: Tensor, valid: Valid = None) -> Tensor:
        """Return the mean of what the blocks of a stage make of a signal (B, C, T)."""
        first = stage * self.blocks_per_stage
        blocks = self.resblocks[first : first + self.blocks_per_stage]
        activated = zero_outside(leaky_relu(signal, self.slope), valid)
        total = blocks[0](signal, activated, valid)
        if len(blocks) == 1:
            return total
        total = total + blocks[1](signal, activated, valid)  # the output of a checkpointed block must not be written to
        for block in blocks[2:]:
            total = total.add_(block(signal, activated, valid))
        return total.div_(len(blocks))

    def _residual_blocks_of_halves(self, stage: int, signal: Tensor, mask: Tensor | None) -> Tensor:
        """Compute `residual_blocks` of a signal of one row; a narrow one as two, which overlap by the blocks' context.

        The outer ends are those of the signal, so that convolutions of rows have the same zeros beyond them.
        """
        if signal.shape[1] > NARROW:
            return self.residual_blocks(stage, signal, mask)
        length = signal.shape[-1]
        half = length // 2
        size = length - half + self.block_context  # may be more than there is; each row is then the whole signal

        def halves(whole: Tensor) -> Tensor:
            return torch.cat([whole[..., :size], whole[..., -size:]], dim=2)

        rows = self.residual_blocks(stage, halves(signal), None if mask is None else halves(mask))
        return torch.cat([rows[:, :, :1, :half], rows[:, :, 1:, half - length :]], dim=3)

    def finish(self, signal: Tensor, valid: Valid = None) -> Tensor:
        """signal (B, C, T_wav) of the last stage, which is written to -> waveform (B, 1, T_wav)."""
        signal = self.conv_post(zero_outside(F.leaky_relu(signal, FINAL_SLOPE, inplace=True), valid))
        if self.training or is_traced():
            return signal.tanh()
        return signal.tanh() + (signal - signal)  # NaN of infinity, which tanh would turn into full scale

    def layers_with_weight_norm(self) -> list[nn.Module]:
        """Return the modules that are trained with weight norm and saved without it."""
        return [self.upsampler, self.resblocks]

    def stage_context(self, stage: int) -> int:
        """Return the samples to either side that an input of a stage is mixed with."""
        upsampler, is_last = self.upsampler[stage], stage == len(self.upsampler) - 1
        after = self.block_context + (ENDS_RECEPTIVE_FIELD if is_last else 0)
        return receptive_field_before(after, upsampler.stride[0], upsampler.kernel_size[0]) + (
            0 if stage else ENDS_RECEPTIVE_FIELD
        )


def _mask(lengths: Tensor | None, signal: Tensor) -> Tensor | None:
    """lengths (B,), signal (B, C, T) or (B, C, rows, T) -> (B, 1, T) or (B, 1, 1, T)."""
    if lengths is None:
        return None
    mask = mask_from_lengths(lengths, signal.shape[-1], signal.dtype)
    return mask if signal.dim() == 3 else mask.unsqueeze(2)
