"""Linear or mel spectrogram to the posterior of the latents (paper, section 2.5.1, posterior encoder)."""

from torch import Tensor, nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv
from hf_vits.modules.flow import WaveNet
from hf_vits.modules.masks import lengths_from_mask
from hf_vits.modules.sampling import Generators, prior_noise


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
        mean, log_std = self.distribution(spectrogram, mask, speaker)
        return sample(mean, log_std, mask, generator), mean, log_std

    def distribution(self, spectrogram: Tensor, mask: Tensor, speaker: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """spectrogram (B, F|M, T), mask (B, 1, T), speaker (B, S, 1) -> posterior_mean, posterior_log_std.

        Frames that are masked at the start of an item are as those past its end: the encoder sees zeros there.
        """
        hidden = self.wavenet(self.conv_pre(spectrogram) * mask, mask, speaker)
        mean, log_std = (self.conv_proj(hidden) * mask).chunk(2, dim=1)
        return mean, log_std

    @property
    def context(self) -> int:
        """Frames to either side of a frame that are mixed into it; 32 in the paper's size."""
        return self.wavenet.context


def sample(mean: Tensor, log_std: Tensor, mask: Tensor, generator: Generators = None) -> Tensor:
    """mean, log_std (B, C, T), mask (B, 1, T) of frames from the first one on -> a sample of the posterior."""
    noise = prior_noise(mean, lengths_from_mask(mask), generator)
    return (mean + noise * log_std.exp()) * mask
