"""Linear or mel spectrogram to the posterior of the latents (paper, section 2.5.1, posterior encoder)."""

from torch import Tensor, nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv
from hf_vits.modules.masks import lengths_from_mask
from hf_vits.modules.sampling import Generators, prior_noise
from hf_vits.modules.wavenet import WaveNet


class PosteriorEncoder(nn.Module):
    """A non-causal WaveNet over the spectrogram; used in training, not in synthesis."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        bands = config.num_mel_bins if config.posterior_input == "mel" else config.spectrogram_bins
        self.conv_pre = Conv(bands, config.hidden_size, 1)
        self.wavenet = WaveNet(config, config.posterior_encoder_num_wavenet_layers)
        self.conv_proj = Conv(config.hidden_size, 2 * config.flow_size, 1)

    def forward(
        self,
        spectrogram: Tensor,
        mask: Tensor,
        speaker: Tensor | None = None,
        generator: Generators = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """spectrogram (B, F|M, T), mask (B, 1, T), speaker (B, S, 1) -> latents, posterior_mean, posterior_log_std."""
        hidden = self.wavenet(self.conv_pre(spectrogram) * mask, mask, speaker)
        mean, log_std = (self.conv_proj(hidden) * mask).chunk(2, dim=1)
        noise = prior_noise(mean, lengths_from_mask(mask), generator)
        return (mean + noise * log_std.exp()) * mask, mean, log_std
