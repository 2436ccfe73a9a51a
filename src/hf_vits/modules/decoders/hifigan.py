"""Latents to waveform: the HiFi-GAN generator (Kong et al. 2020), on signals (B, C, 1, T), channels last."""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.configuration_vits import VitsConfig
from hf_vits.kernels.chunked import run_chunked
from hf_vits.kernels.conv1d import Conv, Upsample, channels_last
from hf_vits.kernels.leaky_relu import leaky_relu
from hf_vits.kernels.weight_cache import may_be_used, prepared_length
from hf_vits.modules.gradient_checkpointing import Recomputed
from hf_vits.modules.masks import mask_from_lengths
from hf_vits.utils.torch_state import is_traced

FINAL_SLOPE = 0.01
"""Negative slope before the last convolution, whatever `leaky_relu_slope` is; so it was trained."""

ENDS_REACH = 3
"""Samples to either side that the first and the last convolution see, which have seven taps."""

INITIAL_STD = 0.01
"""Standard deviation of new weights between the first and the last convolution."""


class ResidualBlock1(Recomputed):
    """Type 1: per dilation a dilated and a plain convolution, added to what came in."""

    def __init__(self, channels: int, kernel: int, dilations: list[int], slope: float):
        super().__init__()
        self.convs1 = nn.ModuleList([Conv(channels, channels, kernel, dilation) for dilation in dilations])
        self.convs2 = nn.ModuleList([Conv(channels, channels, kernel) for _ in dilations])
        self.slope = slope

    def forward(self, signal: Tensor, activated: Tensor, end: int) -> Tensor:
        """signal (B, C, 1, T) and its leaky ReLU, which parallel blocks share -> (B, C, 1, T), right up to `end`."""
        for layer, (dilated, plain) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            inner = dilated(zero_after(leaky_relu(signal, self.slope), end) if layer else activated)
            signal = plain(zero_after(F.leaky_relu(inner, self.slope, inplace=True), end)).add_(signal)
        return signal


class ResidualBlock2(Recomputed):
    """Type 2: one dilated convolution per dilation."""

    def __init__(self, channels: int, kernel: int, dilations: list[int], slope: float):
        super().__init__()
        self.convs = nn.ModuleList([Conv(channels, channels, kernel, dilation) for dilation in dilations])
        self.slope = slope

    def forward(self, signal: Tensor, activated: Tensor, end: int) -> Tensor:
        """signal (B, C, 1, T) and its leaky ReLU, which parallel blocks share -> (B, C, 1, T), right up to `end`."""
        for layer, dilated in enumerate(self.convs):
            inner = zero_after(leaky_relu(signal, self.slope), end) if layer else activated
            signal = dilated(inner).add_(signal)
        return signal


def zero_after(signal: Tensor, end: int | Tensor | None) -> Tensor:
    """signal (B, C, 1, T), which becomes zero from `end` on, as a convolution sees what lies past an end.

    `end` is one for all items, or int64 (B,), of which no signal is changed in place; `None` is that of the signal.
    """
    if isinstance(end, Tensor):
        return signal * mask_from_lengths(end, signal.shape[-1], signal.dtype).unsqueeze(2)
    if end is not None and end < signal.shape[-1]:
        signal[..., end:] = 0
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

    def forward(self, latents: Tensor, speaker: Tensor | None = None, frame_lengths: Tensor | None = None) -> Tensor:
        """latents (B, C, T_spec), speaker (B, S, 1) -> waveform (B, 1, T_wav) within ±1.

        With frame_lengths (B,), which is for graphs, items end there: their samples are zero past it.
        """
        if is_traced():
            return self._traced(latents, speaker, frame_lengths)
        assert frame_lengths is None, "it costs less to decode items of unequal length one by one"
        end = latents.shape[-1]
        latents = F.pad(latents, (0, prepared_length(self, latents) - end))
        condition = None if speaker is None else self.cond(speaker).unsqueeze(2)
        cut = may_be_used(self) and latents.device.type == "cpu"
        last = len(self.upsampler) - 1
        signal = channels_last(latents)
        for stage, upsample in enumerate(self.upsampler):
            rate, kernel = upsample.stride[0], upsample.kernel_size[0]
            make = partial(self._stage, stage, condition)
            if cut:
                reach = reach_before(self.reach + (ENDS_REACH if stage == last else 0), rate, kernel)
                reach += 0 if stage else ENDS_REACH
                channels = 1 if stage == last else upsample.out_channels
                signal = run_chunked(make, signal, end, reach, channels, rate)
            else:
                signal = make(signal, end)
            end *= rate
        return signal[..., :end].squeeze(2)

    def _traced(self, latents: Tensor, speaker: Tensor | None, end: Tensor | None) -> Tensor:
        """What `forward` says, in operations that depend on no length."""
        condition = None if speaker is None else self.cond(speaker).unsqueeze(2)
        signal = zero_after(latents.unsqueeze(2), end)
        for stage, upsample in enumerate(self.upsampler):
            signal = self._stage(stage, condition, signal, end)
            end = None if end is None else end * upsample.stride[0]
        return zero_after(signal, end).squeeze(2)

    def _stage(self, stage: int, condition: Tensor | None, signal: Tensor, end: int) -> Tensor:
        """signal (B, C, 1, T) -> upsampled, and the mean of what the blocks make of it (B, C / 2, 1, rate · T); from
        latents in the first stage, to the waveform in the last."""
        if stage == 0:
            signal = self.conv_pre(signal)
            signal = signal if condition is None else signal + condition
        upsample = self.upsampler[stage]
        signal = upsample(zero_after(leaky_relu(signal, self.slope), end))
        end = None if end is None else end * upsample.stride[0]
        first = stage * self.blocks_per_stage
        blocks = self.resblocks[first : first + self.blocks_per_stage]
        activated = zero_after(leaky_relu(signal, self.slope), end)
        total = blocks[0](signal, activated, end)
        for block in blocks[1:]:
            total = total.add_(block(signal, activated, end))
        total = total.div_(len(blocks))
        if stage < len(self.upsampler) - 1:
            return total
        signal = self.conv_post(zero_after(F.leaky_relu(total, FINAL_SLOPE, inplace=True), end))
        if self.training or is_traced():
            return signal.tanh()
        return signal.tanh() + (signal - signal)  # NaN of infinity, which would sound as full scale
