"""The normalizing flow between the prior and the latents (paper, section 2.1.2; RealNVP couplings)."""

import torch
from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv
from hf_vits.modules.text_encoder import Transformer, TransformerConfig
from hf_vits.modules.weight_norm import add_weight_norm
from hf_vits.utils.torch_state import has_kernel


class WaveNet(GradientCheckpointingLayer):
    """Gated dilated convolutions, conditioned on a speaker (van den Oord et al. 2016); also in the posterior encoder.

    Each layer adds its residual output to the input of the next; the result is the sum of the skip outputs.
    """

    def __init__(self, config: VitsConfig, num_layers: int):
        super().__init__()
        size, kernel = config.hidden_size, config.wavenet_kernel_size
        self.in_layers, self.res_skip_layers = nn.ModuleList(), nn.ModuleList()
        self.dropout = nn.Dropout(config.wavenet_dropout)
        if config.speaker_embedding_size:
            self.cond_layer = nn.Conv1d(config.speaker_embedding_size, 2 * size * num_layers, 1)
        for layer in range(num_layers):
            self.in_layers.append(Conv(size, 2 * size, kernel, config.wavenet_dilation_rate**layer))
            is_last = layer == num_layers - 1  # has no residual output
            self.res_skip_layers.append(Conv(size, size if is_last else 2 * size, 1))
        add_weight_norm(self)

    @property
    def context(self) -> int:
        """Frames to either side of a frame that are mixed into it."""
        return sum(layer.dilation[0] * (layer.kernel_size[0] - 1) // 2 for layer in self.in_layers)

    def forward(self, hidden: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T), speaker (B, S, 1) -> (B, H, T)."""
        biases = [None] * len(self.in_layers)
        if speaker is not None:
            biases = self.cond_layer(speaker).chunk(len(self.in_layers), dim=1)
        total = 0
        for in_layer, res_skip, bias in zip(self.in_layers, self.res_skip_layers, biases, strict=True):
            inner = in_layer(hidden) if bias is None else in_layer(hidden) + bias
            content, gate = inner.chunk(2, dim=1)
            skip = res_skip(self.dropout(content.tanh() * gate.sigmoid()))
            if skip.shape[1] > hidden.shape[1]:  # all but the last layer
                residual, skip = skip.chunk(2, dim=1)
                hidden = (hidden + residual) * mask
            total = total + skip
        return total * mask


class ResidualCoupling(nn.Module):
    """Shift half of the channels by a function of the other half (volume preserving, so no log-determinant).

    With a transformer, the function sees frames far away too (VITS2, section 2.3).
    """

    def __init__(self, config: VitsConfig):
        super().__init__()
        half = config.flow_size // 2
        has_transformer = config.flow_config.transformer is not None
        self.pre_transformer = Transformer(TransformerConfig.of_flow(config)) if has_transformer else None
        self.conv_pre = Conv(half, config.hidden_size, 1)
        self.wavenet = WaveNet(config, config.prior_encoder_num_wavenet_layers)
        self.conv_post = Conv(config.hidden_size, half, 1)
        nn.init.zeros_(self.conv_post.weight)  # starts as the identity
        nn.init.zeros_(self.conv_post.bias)

    def forward(self, latents: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """latents (B, C, T), mask (B, 1, T), speaker (B, S, 1) -> (B, C, T)."""
        kept, moved = latents.chunk(2, dim=1)
        return torch.cat([kept, (moved + self._shift(kept, mask, speaker)) * mask], dim=1)

    def inverse(self, latents: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Invert `forward`; same shapes."""
        kept, moved = latents.chunk(2, dim=1)
        return torch.cat([kept, (moved - self._shift(kept, mask, speaker)) * mask], dim=1)

    def _shift(self, kept: Tensor, mask: Tensor, speaker: Tensor | None) -> Tensor:
        if self.pre_transformer is not None:
            kept = kept + self.pre_transformer(kept, mask)
        return self.conv_post(self.wavenet(self.conv_pre(kept) * mask, mask, speaker))


class Flow(nn.Module):
    """Apply couplings in turn and reverse the channels after each, so that every channel is shifted by some."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        self.flows = nn.ModuleList([ResidualCoupling(config) for _ in range(config.prior_encoder_num_flows)])

    def forward(self, latents: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """latents (B, C, T), mask (B, 1, T), speaker (B, S, 1) -> (B, C, T) under the prior."""
        for coupling in self.flows:
            latents = coupling(latents, mask, speaker).flip(1)
        return latents

    @has_kernel("inference", "invert_flow", gradients=False)
    def inverse(self, latents: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Turn a sample of the prior into latents; same shapes as `forward`."""
        for coupling in reversed(self.flows):
            latents = coupling.inverse(latents.flip(1), mask, speaker)
        return latents
