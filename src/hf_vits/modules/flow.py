"""The normalizing flow between the prior and the latents (paper, section 2.1.2; RealNVP couplings)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.configuration_vits import VitsConfig
from hf_vits.kernels.conv1d import Conv, channels_last
from hf_vits.kernels.weight_cache import prepared_length
from hf_vits.modules.wavenet import WaveNet


class ResidualCoupling(nn.Module):
    """Shifts half of the channels by a function of the other half; volume-preserving, so no log-determinant."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        half = config.flow_size // 2
        self.conv_pre = Conv(half, config.hidden_size, 1)
        self.wavenet = WaveNet(config, config.prior_encoder_num_wavenet_layers)
        self.conv_post = Conv(config.hidden_size, half, 1)
        nn.init.zeros_(self.conv_post.weight)  # starts as the identity
        nn.init.zeros_(self.conv_post.bias)

    def forward(self, latents: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """latents (B, C, 1, T) channels last, mask (B, 1, 1, T), speaker (B, S, 1) -> (B, C, 1, T)."""
        kept, moved = latents.chunk(2, dim=1)
        return torch.cat([kept, (moved + self._shift(kept, mask, speaker)) * mask], dim=1)

    def inverse(self, latents: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Undoes `forward`; same shapes."""
        kept, moved = latents.chunk(2, dim=1)
        return torch.cat([kept, (moved - self._shift(kept, mask, speaker)) * mask], dim=1)

    def _shift(self, kept: Tensor, mask: Tensor, speaker: Tensor | None) -> Tensor:
        return self.conv_post(self.wavenet(self.conv_pre(kept) * mask, mask, speaker))


class Flow(nn.Module):
    """Couplings in turn; the channels are reversed after each, so that every channel is moved by some."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        self.flows = nn.ModuleList([ResidualCoupling(config) for _ in range(config.prior_encoder_num_flows)])

    def forward(self, latents: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """latents (B, C, T), mask (B, 1, T), speaker (B, S, 1) -> (B, C, T) under the prior."""
        latents, mask = channels_last(latents), mask.unsqueeze(2)
        for coupling in self.flows:
            latents = coupling(latents, mask, speaker).flip(1)
        return latents.squeeze(2).contiguous()

    def inverse(self, latents: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Undoes `forward`: a sample of the prior becomes latents; same shapes."""
        length = latents.shape[2]
        more = (0, prepared_length(self, latents) - length)
        latents, mask = channels_last(F.pad(latents, more)), F.pad(mask, more).unsqueeze(2)
        for coupling in reversed(self.flows):
            latents = coupling.inverse(latents.flip(1), mask, speaker)
        return latents[..., :length].squeeze(2).contiguous()
