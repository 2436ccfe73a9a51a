"""Latents to waveform: the HiFi-GAN generator (Kong et al. 2020), on signals (B, C, 1, T), channels last."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.activation import leaky_relu
from hf_vits.modules.convolution import Conv, Upsample
from hf_vits.modules.recomputed import Recomputed

FINAL_SLOPE = 0.01
"""Negative slope before the last convolution, whatever `leaky_relu_slope` is; so it was trained."""


INITIAL_STD = 0.01
"""Standard deviation of new weights between the first and the last convolution."""


class ResidualBlock1(Recomputed):
    """Type 1: per dilation a dilated and a plain convolution, added to what came in."""

    def __init__(self, channels: int, kernel: int, dilations: list[int], slope: float):
        super().__init__()
        self.convs1 = nn.ModuleList([Conv(channels, channels, kernel, dilation) for dilation in dilations])
        self.convs2 = nn.ModuleList([Conv(channels, channels, kernel) for _ in dilations])
        self.slope = slope

    def forward(self, signal: Tensor, activated: Tensor) -> Tensor:
        """signal (B, C, 1, T) and its leaky ReLU, which parallel blocks share -> (B, C, 1, T)."""
        for layer, (dilated, plain) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            inner = dilated(leaky_relu(signal, self.slope) if layer else activated)
            signal = plain(F.leaky_relu(inner, self.slope, inplace=True)) + signal
        return signal


class ResidualBlock2(Recomputed):
    """Type 2: one dilated convolution per dilation."""

    def __init__(self, channels: int, kernel: int, dilations: list[int], slope: float):
        super().__init__()
        self.convs = nn.ModuleList([Conv(channels, channels, kernel, dilation) for dilation in dilations])
        self.slope = slope

    def forward(self, signal: Tensor, activated: Tensor) -> Tensor:
        """signal (B, C, 1, T) and its leaky ReLU, which parallel blocks share -> (B, C, 1, T)."""
        for layer, dilated in enumerate(self.convs):
            signal = dilated(leaky_relu(signal, self.slope) if layer else activated) + signal
        return signal


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
        self.blocks_per_stage = len(shapes)
        self.conv_post = Conv(channels, 1, 7, bias=False)
        if config.speaker_embedding_size:
            self.cond = nn.Conv1d(config.speaker_embedding_size, config.upsample_initial_channel, 1)

    def forward(self, latents: Tensor, speaker: Tensor | None = None) -> Tensor:
        """latents (B, C, T_spec), speaker (B, S, 1) -> waveform (B, 1, T_wav) within ±1."""
        signal = self.conv_pre(latents.unsqueeze(2).contiguous(memory_format=torch.channels_last))
        if speaker is not None:
            signal = signal + self.cond(speaker).unsqueeze(2)
        for stage, upsample in enumerate(self.upsampler):
            signal = upsample(F.leaky_relu(signal, self.slope, inplace=True))
            first, activated = stage * self.blocks_per_stage, leaky_relu(signal, self.slope)
            outputs = [block(signal, activated) for block in self.resblocks[first : first + self.blocks_per_stage]]
            signal = sum(outputs[1:], outputs[0]) / self.blocks_per_stage
        return self.conv_post(F.leaky_relu(signal, FINAL_SLOPE, inplace=True)).tanh().squeeze(2)
