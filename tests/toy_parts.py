"""A decoder, a sub-discriminator and a loss, as a package outside of hf_vits would register them."""

from dataclasses import dataclass

from huggingface_hub.dataclasses import strict
from torch import nn
from torch.nn import functional as F

from hf_vits.discriminators.base import DISCRIMINATORS, SubDiscriminator, SubDiscriminatorConfig
from hf_vits.modules.decoders.base import DECODERS, Decoder, DecoderConfig
from hf_vits.modules.masks import mask_from_lengths
from hf_vits.training.losses import register_loss


@strict
@dataclass
class ToyDecoderConfig(DecoderConfig):
    """Two convolutions over frames, the second with one output channel per sample."""

    channels: int = 6
    kernel_size: int = 5
    samples_per_frame: int = 8

    hop_length = property(lambda self: self.samples_per_frame)
    receptive_field = property(lambda self: 2 * (self.kernel_size // 2))

    def check(self):
        if self.kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` is {self.kernel_size}; it must be odd.")

    def count_parameters(self, latent_channels, speaker_channels):
        return self.kernel_size * self.channels * (latent_channels + self.samples_per_frame)

    def describe(self):
        return f"toy decoder of {self.channels} channels"

    @classmethod
    def from_shapes(cls, shapes):
        first, last = shapes.get("toy_first.weight"), shapes.get("toy_last.weight")
        if first is None or last is None:
            return None
        return {"channels": first[0], "kernel_size": first[2], "samples_per_frame": last[0]}


@DECODERS.register("toy")
class ToyDecoder(Decoder):
    config_class = ToyDecoderConfig

    def __init__(self, config):
        super().__init__()
        own, padding = config.decoder_config, config.decoder_config.kernel_size // 2
        self.toy_first = nn.Conv1d(config.flow_size, own.channels, own.kernel_size, padding=padding)
        self.toy_last = nn.Conv1d(own.channels, own.hop_length, own.kernel_size, padding=padding)

    def forward(self, latents, speaker=None, frame_lengths=None):
        mask = 1.0 if frame_lengths is None else mask_from_lengths(frame_lengths, latents.shape[-1], latents.dtype)
        samples = self.toy_last(self.toy_first(latents * mask).relu() * mask) * mask
        return samples.mT.flatten(1).unsqueeze(1).tanh()


@strict
@dataclass
class ToyDiscriminatorConfig(SubDiscriminatorConfig):
    """One convolution over the differences of neighbouring samples."""

    channels: int = 8

    def count_parameters(self):
        return 8 * self.channels

    @classmethod
    def from_shapes(cls, shapes):
        return {"channels": shapes["toy_conv.weight"][0]} if "toy_conv.weight" in shapes else None


@DISCRIMINATORS.register("toy")
class ToyDiscriminator(SubDiscriminator):
    config_class = ToyDiscriminatorConfig

    def __init__(self, config):
        super().__init__()
        self.toy_conv, self.toy_logits = nn.Conv1d(1, config.channels, 7, 4, 3), nn.Conv1d(config.channels, 1, 1)

    def forward(self, waveform):
        features = F.leaky_relu(self.toy_conv(waveform.diff()), 0.1)
        return [features, self.toy_logits(features)]


@register_loss("toy_loudness", stage="reconstruction", weight=0.1, description="Difference of mean squares.")
def toy_loudness_loss(segments):
    return (segments.fake.float().square().mean() - segments.real.float().square().mean()).abs()
