"""Latents to waveform: the HiFi-GAN generator (Kong et al. 2020)."""

from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv, Upsample
from hf_vits.modules.kernel_lookup import has_kernel
from hf_vits.modules.masks import Valid, mask_from_lengths, zero_outside
from hf_vits.utils.torch_state import is_traced

FINAL_SLOPE = 0.01
"""Negative slope before the last convolution, whatever `leaky_relu_slope` is: voices were trained so."""

ENDS_REACH = 3
"""Samples to either side that the first and the last convolution see, which have seven taps."""

INITIAL_STD = 0.01
"""Standard deviation of new weights between the first and the last convolution."""


@has_kernel("leaky_relu", "leaky_relu")
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


def blocks_reach(config: VitsConfig) -> int:
    """Samples to either side of a sample that the residual blocks of a stage mix into it, at the stage's rate."""
    pairs = config.resblock_type == "1"  # each dilated convolution is followed by a plain one
    shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
    return max((kernel - 1) // 2 * sum(rate + pairs for rate in dilations) for kernel, dilations in shapes)


def reach_before(reach: int, rate: int, kernel: int) -> int:
    """Samples before an upsampling that it makes those of which are `reach` away after it."""
    padding = (kernel - rate) // 2
    return max((reach + kernel - 1 - padding) // rate, (reach + padding - 1) // rate + 1)


class HifiGan(nn.Module):
    """Stages of upsampling, each followed by the mean of parallel residual blocks."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        channels = config.upsample_initial_channel
        block = ResidualBlock1 if config.resblock_type == "1" else ResidualBlock2
        shapes = list(zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True))
        self.slope = config.leaky_relu_slope
        self.conv_pre = Conv(config.flow_size, channels, 7)
        self.upsampler, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            self.upsampler.append(Upsample(channels, channels // 2, kernel, rate))
            channels //= 2
            self.resblocks.extend(block(channels, kernel, dilations, self.slope) for kernel, dilations in shapes)
        for conv in [*self.upsampler.modules(), *self.resblocks.modules()]:
            if isinstance(conv, Conv | Upsample):
                nn.init.normal_(conv.weight, std=INITIAL_STD)
        self.blocks_per_stage, self.reach = len(shapes), blocks_reach(config)
        self.conv_post = Conv(channels, 1, 7, bias=False)
        if config.speaker_embedding_size:
            self.cond = nn.Conv1d(config.speaker_embedding_size, config.upsample_initial_channel, 1)

    @has_kernel("chunked", "decode")
    def forward(self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None) -> Tensor:
        """latents (B, C, T_spec), speaker (B, S, 1), frame_lengths (B,) -> waveform (B, 1, T_wav) within ±1.

        With `frame_lengths`, each item is what it would be alone, and zero past its end.
        """
        condition = None if speaker is None else self.cond(speaker)
        signal, lengths, mask = latents, frame_lengths, _mask(frame_lengths, latents)
        for stage, upsampler in enumerate(self.upsampler):
            signal = self.upsample(stage, signal, condition, mask)
            lengths = None if lengths is None else lengths * upsampler.stride[0]
            mask = _mask(lengths, signal)
            signal = self.residual_blocks(stage, signal, mask)
        return zero_outside(self.to_waveform(signal, mask), mask)

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
        for block in blocks[1:]:
            total = total.add_(block(signal, activated, valid))
        return total.div_(len(blocks))

    def to_waveform(self, signal: Tensor, valid: Valid = None) -> Tensor:
        """signal (B, C, T_wav) of the last stage, which is written to -> waveform (B, 1, T_wav)."""
        signal = self.conv_post(zero_outside(F.leaky_relu(signal, FINAL_SLOPE, inplace=True), valid))
        if self.training or is_traced():
            return signal.tanh()
        return signal.tanh() + (signal - signal)  # NaN of infinity, which tanh would turn into full scale

    def stage_context(self, stage: int) -> int:
        """Return the samples to either side that an input of a stage is mixed with."""
        upsampler, is_last = self.upsampler[stage], stage == len(self.upsampler) - 1
        after = self.reach + (ENDS_REACH if is_last else 0)
        return reach_before(after, upsampler.stride[0], upsampler.kernel_size[0]) + (0 if stage else ENDS_REACH)


def _mask(lengths: Tensor | None, signal: Tensor) -> Tensor | None:
    """lengths (B,), signal (B, C, T) -> (B, 1, T)."""
    return None if lengths is None else mask_from_lengths(lengths, signal.shape[-1], signal.dtype)
