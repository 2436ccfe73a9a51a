"""Discriminators of the durations of tokens, of which one is trained at the end of a run (VITS2)."""

import torch
from torch import Tensor, nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv
from hf_vits.utils.registry import Registry

DURATION_DISCRIMINATORS: Registry[type[nn.Module]] = Registry("duration discriminator")
"""Classes by the name that `VitsTrainingArguments.duration_discriminator` gives: each is built from a [`VitsConfig`],
and its `forward` has the arguments of [`DurationDiscriminator`]'s."""

KERNEL = 3
"""Tokens of each convolution."""


@DURATION_DISCRIMINATORS.register("convolutional")
class DurationDiscriminator(nn.Module):
    """
    Tell each token's log duration by the alignment from a predicted one, by the text around it (VITS2, section 2.1).

    Convolutions encode the text, the log durations are joined, and more convolutions give one logit for each token.
    Layers are those of vits2_pytorch's second discriminator, but logits are not bounded, as in Mao et al. 2017.
    """

    def __init__(self, config: VitsConfig):
        super().__init__()
        size = config.hidden_size
        if config.speaker_embedding_size:
            self.cond = nn.Conv1d(config.speaker_embedding_size, config.text_size, 1)
        self.conv_1, self.norm_1 = Conv(config.text_size, size, KERNEL), nn.LayerNorm(size)
        self.conv_2, self.norm_2 = Conv(size, size, KERNEL), nn.LayerNorm(size)
        self.dur_proj = Conv(1, size, 1)
        self.pre_out_conv_1, self.pre_out_norm_1 = Conv(2 * size, size, KERNEL), nn.LayerNorm(size)
        self.pre_out_conv_2, self.pre_out_norm_2 = Conv(size, size, KERNEL), nn.LayerNorm(size)
        self.output_layer = Conv(size, 1, 1)

    def forward(self, hidden: Tensor, mask: Tensor, log_durations: Tensor, speaker: Tensor | None = None) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T), log_durations (B, 1, T), speaker (B, S, 1) -> logits (B, 1, T)."""
        if speaker is not None:
            hidden = hidden + self.cond(speaker)
        hidden = self._layer(self.conv_1, self.norm_1, hidden, mask)
        hidden = self._layer(self.conv_2, self.norm_2, hidden, mask)
        hidden = torch.cat([hidden, self.dur_proj(log_durations)], dim=1)
        hidden = self._layer(self.pre_out_conv_1, self.pre_out_norm_1, hidden, mask)
        hidden = self._layer(self.pre_out_conv_2, self.pre_out_norm_2, hidden, mask)
        return self.output_layer(hidden) * mask

    @staticmethod
    def _layer(conv: Conv, norm: nn.LayerNorm, hidden: Tensor, mask: Tensor) -> Tensor:
        return norm(conv(hidden * mask).relu().mT).mT
