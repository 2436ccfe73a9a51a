"""The generator in training: posterior → segment → decoder, posterior → flow → alignment (paper, figure 1a)."""

from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_vits.data.batch import VitsBatch
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.alignment import log_likelihood, search_where_finite, with_noise
from hf_vits.modules.duration_predictor import StochasticDurationPredictor
from hf_vits.modules.filter_banks import BANDS, split_bands
from hf_vits.modules.masks import expand, frames_of_token, mask_from_lengths
from hf_vits.modules.posterior_encoder import sample
from hf_vits.modules.sampling import Generators, uniform
from hf_vits.modules.spectrogram import Spectrogram
from hf_vits.modules.text_encoder import TextEncoding
from hf_vits.training.losses import deterministic_duration_loss, stochastic_duration_loss


def random_starts(lengths: Tensor, size: int, generator: Generators = None) -> Tensor:
    """lengths in frames int64 (B,), size of a segment -> its first frame for each item, int64 (B,).

    Uniform over all positions where the segment fits; 0 for an item that is shorter than the segment.
    """
    room = (lengths - size).clamp(min=0) + 1
    return (uniform(len(lengths), generator, lengths.device) * room).long().minimum(room - 1)


def take(values: Tensor, starts: Tensor, size: int) -> Tensor:
    """values (B, C, T), starts int64 (B,) -> (B, C, size); zero before the first position and past the last one."""
    position = starts[:, None] + torch.arange(size, device=values.device)
    inside = (position >= 0) & (position < values.shape[-1])
    index = position.clamp(0, values.shape[-1] - 1).unsqueeze(1).expand(-1, values.shape[1], -1)
    return values.gather(2, index) * inside.unsqueeze(1)


@dataclass
class Posterior:
    """
    Output of the posterior encoder for whole clips.

    Args:
        spectrogram (`Tensor` of shape `(B, F, T_spec)`):
            Linear magnitudes.
        latents (`Tensor` of shape `(B, C, T_spec)`):
            Sample of the posterior.
        posterior_log_std (`Tensor` of shape `(B, C, T_spec)`):
            Logarithm of its standard deviation.
        frame_mask (`Tensor` of shape `(B, 1, T_spec)`):
            One at frames, zero at padding.
        speaker (`Tensor` of shape `(B, S, 1)`, *optional*):
            Speaker vectors.
    """

    spectrogram: Tensor
    latents: Tensor
    posterior_log_std: Tensor
    frame_mask: Tensor
    speaker: Tensor | None

    def detached_copy(self) -> "Posterior":
        """Return a copy whose tensors are leaves of a new graph, which collect their gradients."""
        leaves = {name: tensor.detach().requires_grad_(tensor.requires_grad) for name, tensor in self._outputs()}
        return replace(self, **leaves)

    def backward_roots(self, detached: "Posterior") -> list[tuple[Tensor, Tensor | None]]:
        """Return each tensor with the gradient that its detached copy has collected."""
        return [(tensor, getattr(detached, name).grad) for name, tensor in self._outputs()]

    def _outputs(self) -> list[tuple[str, Tensor]]:
        names = ("latents", "posterior_log_std", "speaker")
        return [(name, tensor) for name in names if (tensor := getattr(self, name)) is not None]


@dataclass
class AlignmentOutput(Posterior):
    """
    A posterior, and the prior of its text along the alignment.

    Args:
        prior_latents, prior_mean, prior_log_std (`Tensor` of shape `(B, C, T_spec)`):
            The latents after the flow, and mean and log standard deviation of the prior at each frame.
        duration_loss (`Tensor` of shape `()`):
            Of the duration predictor, per token.
        token_index (`Tensor` of shape `(B, T_spec)`, int64):
            The alignment: the token index of each frame.
    """

    prior_latents: Tensor
    prior_mean: Tensor
    prior_log_std: Tensor
    duration_loss: Tensor
    token_index: Tensor


@dataclass
class AlignedText:
    """
    A text, and the token of each frame.

    Args:
        prior_latents (`Tensor` of shape `(B, C, T_spec)`):
            The latents after the flow.
        text ([`TextEncoding`]):
            Hidden states and prior of each token.
        mask (`Tensor` of shape `(B, 1, T_text)`):
            One at tokens, zero at padding.
        speaker, language (`Tensor` of shape `(B, S, 1)` and `(B, L, 1)`, *optional*):
            Vectors.
        token_index (`Tensor` of shape `(B, T_spec)`, int64):
            The alignment.
        is_finite (`Tensor` of shape `(B,)`, bool):
            Whether an item's scores were, so that there is an alignment.
        durations (`Tensor` of shape `(B, T_text)`, int64):
            Frames of each token.
    """

    prior_latents: Tensor
    text: TextEncoding
    mask: Tensor
    speaker: Tensor | None
    language: Tensor | None
    token_index: Tensor
    is_finite: Tensor
    durations: Tensor


@dataclass
class Segments:
    """
    One segment of each clip.

    Args:
        real, fake (`Tensor` of shape `(B, 1, T_seg)`):
            Recorded and generated samples; both zero past the end of a short clip.
        real_mel, fake_mel (`Tensor` of shape `(B, M, frames)`):
            Their log-mels, the real one taken from that of the whole clip; zero past the end of a short clip.
        real_bands, fake_bands (`Tensor` of shape `(B, 4, T_seg / 4)`, *optional*):
            Their sub-bands, for a decoder whose losses compare them.
        requested_losses (`tuple[str, ...]`, *optional*):
            Names of the losses on request that the decoder is trained with.
    """

    real: Tensor
    fake: Tensor
    real_mel: Tensor
    fake_mel: Tensor
    real_bands: Tensor | None = field(default=None, kw_only=True)
    fake_bands: Tensor | None = field(default=None, kw_only=True)
    requested_losses: tuple[str, ...] = field(default=(), kw_only=True)

    def joined(self, more: "Segments") -> "Segments":
        """Return both as one batch."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **{name: torch.cat([value, getattr(more, name)]) for name, value in tensors.items()})


@dataclass
class VitsTrainingOutput(AlignmentOutput, Segments):
    """Everything that the losses take: the fields of [`AlignmentOutput`] and of [`Segments`]."""


class VitsGenerator(nn.Module):
    """
    The submodules of a [`VitsModel`] in the order in which training runs them.

    Args:
        model ([`VitsModel`]):
            The model to train; its parameters are the only ones here.
        segment_frames (`int`, *optional*, defaults to 32):
            Frames that are decoded per item and step.
        decodes_only (`bool`, *optional*, defaults to `False`):
            Take any model, of which only `decode_latents` is called.

    Raises:
        ValueError: if the model lacks modules that only training uses, which are named, or has several languages.
    """

    def __init__(self, model: VitsModel, segment_frames: int = 32, decodes_only: bool = False):
        super().__init__()
        missing = [] if decodes_only else model.missing_for_training()
        if missing:
            raise ValueError(
                f"This model was converted for inference only and lacks {', '.join(missing)}; "
                "it cannot be trained as it is. `hf-vits complete` trains what it lacks."
            )
        if model.config.num_languages > 1 and not decodes_only:
            raise ValueError(
                f"This model has {model.config.num_languages} languages, and training does not know the language of "
                "a clip. Use the model for inference only."
            )
        self.model, self.segment_frames = model, segment_frames
        self.spectrogram = Spectrogram(model.config)

    def train(self, mode: bool = True) -> "VitsGenerator":
        """Set training or evaluation mode. Modules of which nothing is trained stay in evaluation mode, and so does the
        dropout of those that are trained in part: it would be noise in the targets of others."""
        super().train(mode)
        for module in self.model.modules():
            trained = [parameter.requires_grad for parameter in module.parameters()]
            if trained and not any(trained):
                module.eval()
            elif not all(trained):
                for child in module.children():
                    if isinstance(child, nn.Dropout):
                        child.eval()
        return self

    def forward(
        self, batch: VitsBatch, generator: Generators = None, segment_frames: int | None = None
    ) -> VitsTrainingOutput:
        """batch -> VitsTrainingOutput; `generator` is the source of all noise, one for all items or one for each.

        `segment_frames` replaces the usual length of the segments, for example by that of a whole clip.
        """
        posterior = self.posterior(batch, generator)
        segments = self.decode(batch, posterior, generator, segment_frames)
        return VitsTrainingOutput(**vars(self.align(batch, posterior, generator)), **vars(segments))

    def posterior(self, batch: VitsBatch, generator: Generators = None) -> Posterior:
        """batch -> Posterior, from the recordings alone; the first part of `forward`."""
        speaker = self.model.speaker_vector(batch.speaker_id, len(batch))
        spectrogram, mask = self._spectrogram(batch)
        latents, _, log_std = self.model.posterior_encoder(self._features(spectrogram), mask, speaker, generator)
        return Posterior(spectrogram, latents, log_std, mask, speaker)

    def decode(
        self, batch: VitsBatch, posterior: Posterior, generator: Generators = None, segment_frames: int | None = None
    ) -> Segments:
        """A batch and its posterior -> Segments; the second part of `forward`."""
        size = segment_frames or self.segment_frames
        starts = random_starts(batch.waveform_lengths // self.model.config.hop_length, size, generator)
        spectrogram, mask = (take(values, starts, size) for values in (posterior.spectrogram, posterior.frame_mask))
        latents = take(posterior.latents, starts, size)
        return self.decode_latents(batch.waveform, starts, spectrogram, mask, latents, posterior.speaker)

    def decode_windows(self, batch: VitsBatch, generator: Generators = None) -> Segments:
        """batch -> Segments as those of `decode`, where only the decoder is trained: no more of a clip is encoded than
        the frames that are decoded and what the posterior encoder mixes into them. The noise is another one."""
        size, context = self.segment_frames, self.model.posterior_encoder.context
        with torch.no_grad():
            speaker = self.model.speaker_vector(batch.speaker_id, len(batch))
            spectrogram, mask = self._spectrogram(batch)
            starts = random_starts(batch.waveform_lengths // self.model.config.hop_length, size, generator)
            spectrogram, mask = (take(values, starts - context, size + 2 * context) for values in (spectrogram, mask))
            distribution = self.model.posterior_encoder.distribution(self._features(spectrogram), mask, speaker)
            inner = (values[..., context : context + size] for values in (spectrogram, mask, *distribution))
            spectrogram, mask, mean, log_std = inner
            latents = sample(mean, log_std, mask, generator)
        return self.decode_latents(batch.waveform, starts, spectrogram, mask, latents, speaker)

    def recorded_segments(self, batch: VitsBatch, generator: Generators = None) -> Tensor:
        """batch -> samples of one segment of each recording (B, 1, T_seg), zero past the end of a short one."""
        size, hop = self.segment_frames, self.model.config.hop_length
        starts = random_starts(batch.waveform_lengths // hop, size, generator)
        return take(batch.waveform, starts * hop, size * hop)

    @property
    def trains_decoder_alone(self) -> bool:
        """Return True if no parameter outside the decoder takes a gradient."""
        parts = (part for name, part in self.model.named_children() if name != "decoder")
        return not any(parameter.requires_grad for part in parts for parameter in part.parameters())

    def _spectrogram(self, batch: VitsBatch) -> tuple[Tensor, Tensor]:
        """Return linear magnitudes (B, F, T_spec) and the mask of frames (B, 1, T_spec)."""
        with torch.no_grad():
            spectrogram = self.spectrogram(batch.waveform, batch.waveform_lengths)
        lengths = batch.waveform_lengths // self.model.config.hop_length
        return spectrogram, mask_from_lengths(lengths, spectrogram.shape[-1], spectrogram.dtype)

    def _features(self, spectrogram: Tensor) -> Tensor:
        """Return the input of the posterior encoder, (B, F|M, T)."""
        return self.spectrogram.mel(spectrogram) if self.model.config.posterior_input == "mel" else spectrogram

    def decode_latents(
        self,
        waveform: Tensor,
        starts: Tensor,
        spectrogram: Tensor,
        mask: Tensor,
        latents: Tensor,
        speaker: Tensor | None,
    ) -> Segments:
        """waveform (B, 1, T_wav), starts int64 (B,), and of the segments that begin there: spectrogram (B, F, frames),
        mask (B, 1, frames), latents (B, C, frames); speaker (B, S, 1) -> Segments."""
        hop, size = self.model.config.hop_length, latents.shape[-1]
        sample_mask = mask.repeat_interleave(hop, dim=-1)
        fake, bands = self.model.decoder.forward_with_bands(latents, speaker)
        fake, real = fake * sample_mask, take(waveform, starts * hop, size * hop) * sample_mask
        return Segments(
            real=real,
            fake=fake,
            real_mel=self.spectrogram.mel(spectrogram) * mask,
            fake_mel=self.spectrogram.mel(self.spectrogram(fake)) * mask,
            real_bands=None if bands is None else split_bands(real),
            fake_bands=None if bands is None else bands * sample_mask[..., ::BANDS],
            requested_losses=self.model.config.decoder_config.losses,
        )

    def align(
        self, batch: VitsBatch, posterior: Posterior, generator: Generators = None, noise_scale: float = 0.0
    ) -> AlignmentOutput:
        """A batch and its posterior -> AlignmentOutput; the last part of `forward`: flow, text encoder, alignment,
        durations. The alignment is searched with noise of `noise_scale`, as [`with_noise`] adds it."""
        found = self.aligned_text(batch, posterior, generator, noise_scale)
        text, index = found.text, found.token_index
        return AlignmentOutput(
            **vars(posterior),
            prior_latents=found.prior_latents,
            prior_mean=_nan_unless(found.is_finite, expand(text.prior_mean, index)),
            prior_log_std=expand(text.prior_log_std, index),
            duration_loss=self._duration_loss(found, generator),
            token_index=index,
        )

    def aligned_text(
        self, batch: VitsBatch, posterior: Posterior, generator: Generators = None, noise_scale: float = 0.0
    ) -> AlignedText:
        """A batch and its posterior -> AlignedText: flow, text encoder, alignment."""
        model, speaker = self.model, posterior.speaker
        frame_lengths = batch.waveform_lengths // model.config.hop_length
        mask = mask_from_lengths(batch.text_lengths, batch.input_ids.shape[1], posterior.frame_mask.dtype)
        prior_latents = model.flow(posterior.latents, posterior.frame_mask, speaker)
        language = model.language_vector(None, len(batch))
        text = model.text_encoder(batch.input_ids, mask, language=language, speaker=speaker)
        scores = log_likelihood(prior_latents.detach(), text.prior_mean.detach(), text.prior_log_std.detach())
        scores = with_noise(scores, batch.text_lengths, frame_lengths, noise_scale, generator)
        index, is_finite = search_where_finite(scores, batch.text_lengths, frame_lengths)
        durations = frames_of_token(index, frame_lengths, batch.input_ids.shape[1])
        return AlignedText(prior_latents, text, mask, speaker, language, index, is_finite, durations)

    def _duration_loss(self, found: AlignedText, generator: Generators) -> Tensor:
        """Return the loss of the duration predictor, whose gradient stops at its inputs (section 2.2.2)."""
        predictor, hidden = self.model.duration_predictor, found.text.hidden.detach()
        mask, durations = found.mask, found.durations
        speaker = None if found.speaker is None else found.speaker.detach()
        language = None if found.language is None else found.language.detach()
        with torch.autocast(hidden.device.type, enabled=False):  # logarithms and splines need float32
            hidden = hidden.to(mask.dtype)
            if isinstance(predictor, StochasticDurationPredictor):
                frames = durations.unsqueeze(1).to(hidden.dtype)
                return stochastic_duration_loss(
                    predictor.negative_log_likelihood(hidden, mask, frames, speaker, generator, language), mask
                )
            return deterministic_duration_loss(predictor(hidden, mask, speaker, language), durations, mask)


def _nan_unless(is_finite: Tensor, values: Tensor) -> Tensor:
    """is_finite bool (B,), values (B, C, T) -> values, times NaN in the other items: neither the losses of such an item
    nor their gradients are finite then, and the step is skipped in every process."""
    return values if bool(is_finite.all()) else values * torch.where(is_finite, 1.0, torch.nan)[:, None, None]


def recompute_activations(model: nn.Module) -> None:
    """Switch gradient checkpointing on. transformers' own switch would warn that embeddings take no gradient."""
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.gradient_checkpointing = True
            module._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
