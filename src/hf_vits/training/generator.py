"""The generator's pass in training: posterior → flow → alignment → slice → decoder (paper, figure 1a)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hf_vits.alignment import expand, frames_of_token, log_likelihood, search
from hf_vits.losses import plain_duration_loss, stochastic_duration_loss
from hf_vits.masks import mask_from_lengths
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.duration_predictor import StochasticDurationPredictor
from hf_vits.modules.text_encoder import TextEncoding
from hf_vits.randomness import Generators
from hf_vits.spectrogram import Spectrogram
from hf_vits.training.batch import VitsBatch
from hf_vits.training.segments import random_starts, take


@dataclass
class Aligned:
    """
    What the posterior sees in whole clips, and what the text has to say of it.

    Args:
        spectrogram (`Tensor` of shape `(B, F, T_spec)`):
            Linear magnitudes.
        latents (`Tensor` of shape `(B, C, T_spec)`):
            Drawn from the posterior; what is decoded.
        prior_latents, posterior_log_std, prior_mean, prior_log_std (`Tensor` of shape `(B, C, T_spec)`):
            The latents after the flow, and both distributions at each frame.
        frame_mask (`Tensor` of shape `(B, 1, T_spec)`):
            One where a frame is real.
        duration_loss (`Tensor` of shape `()`):
            Of the duration predictor, per token.
        token_of_frame (`Tensor` of shape `(B, T_spec)`, int64):
            The alignment that was found.
        speaker (`Tensor` of shape `(B, S, 1)`, *optional*):
            Who speaks.
        seams (`list[tuple[Tensor, Tensor]]`):
            Where the graph was cut: what the posterior and the speaker gave, and the leaves that the prior's side was
            given in their place. Empty unless `align` was told to cut.
    """

    spectrogram: Tensor
    latents: Tensor
    prior_latents: Tensor
    posterior_log_std: Tensor
    prior_mean: Tensor
    prior_log_std: Tensor
    frame_mask: Tensor
    duration_loss: Tensor
    token_of_frame: Tensor
    speaker: Tensor | None
    seams: list[tuple[Tensor, Tensor]]


@dataclass
class Slices:
    """
    What is heard of each clip.

    Args:
        real, fake (`Tensor` of shape `(B, 1, T_seg)`):
            Recorded and generated samples of one slice per item; both zero past the end of a short clip.
        real_mel, fake_mel (`Tensor` of shape `(B, M, frames)`):
            Their log-mels, the real one cut from that of the whole clip; zero past the end of a short clip.
    """

    real: Tensor
    fake: Tensor
    real_mel: Tensor
    fake_mel: Tensor


@dataclass
class VitsTrainingOutput(Aligned, Slices):
    """All that the losses look at: the fields of [`Aligned`] and of [`Slices`]."""


class VitsGenerator(nn.Module):
    """
    The submodules of a [`VitsModel`] in the order in which training runs them.

    Args:
        model ([`VitsModel`]):
            The voice; its parameters are the only ones here.
        segment_frames (`int`, *optional*, defaults to 32):
            Frames that are decoded per item and step.

    Raises:
        ValueError: if the model lacks parts that only training uses, which are named, or has several languages.
    """

    def __init__(self, model: VitsModel, segment_frames: int = 32):
        super().__init__()
        missing = model.missing_for_training()
        if missing:
            raise ValueError(
                f"This voice was converted for speaking only and lacks {', '.join(missing)}; "
                "it cannot be trained as it is."
            )
        if model.config.num_languages > 1:
            raise ValueError(
                f"This voice speaks {model.config.num_languages} languages, and training does not know which one of "
                "them a clip is in; such a voice can only speak."
            )
        self.model, self.segment_frames = model, segment_frames
        self.spectrogram = Spectrogram(model.config)

    def forward(
        self, batch: VitsBatch, generator: Generators = None, segment_frames: int | None = None
    ) -> VitsTrainingOutput:
        """batch -> VitsTrainingOutput; `generator` is the source of all noise, one for all items or one for each.

        `segment_frames` is another length of the slices than the usual one, such as a whole clip's.
        """
        aligned = self.align(batch, generator)
        return VitsTrainingOutput(**vars(aligned), **vars(self.decode(batch, aligned, generator, segment_frames)))

    def align(self, batch: VitsBatch, generator: Generators = None, cut: bool = False) -> Aligned:
        """batch -> Aligned, the first half of `forward`.

        With `cut` no gradient of the prior's side (flow and text encoder) goes into the posterior: that side can then
        be differentiated and forgotten before anything is decoded. What arrives at the `seams` is for the caller to
        hand on.
        """
        model = self.model
        speaker = model.speaker_vector(batch.speaker_id, len(batch))
        with torch.no_grad():
            spectrogram = self.spectrogram(batch.waveform, batch.waveform_lengths)
        frame_lengths = batch.waveform_lengths // model.config.hop_length
        frame_mask = mask_from_lengths(frame_lengths, spectrogram.shape[-1], spectrogram.dtype)
        text_mask = mask_from_lengths(batch.text_lengths, batch.input_ids.shape[1], spectrogram.dtype)

        seen = self.spectrogram.mel(spectrogram) if model.config.posterior_input == "mel" else spectrogram
        latents, _, log_std = model.posterior_encoder(seen, frame_mask, speaker, generator)
        seams: list[tuple[Tensor, Tensor]] = []

        def handed_on(tensor: Tensor) -> Tensor:
            if not cut:
                return tensor
            seams.append((tensor, tensor.detach().requires_grad_()))
            return seams[-1][1]

        posterior_log_std = handed_on(log_std)
        prior_latents = model.flow(handed_on(latents), frame_mask, None if speaker is None else handed_on(speaker))
        language = model.language_vector(None, len(batch))
        text = model.text_encoder(batch.input_ids, text_mask, language=language)
        index = self._align(prior_latents, text, batch.text_lengths, frame_lengths)
        durations = frames_of_token(index, frame_lengths, batch.input_ids.shape[1])
        return Aligned(
            spectrogram=spectrogram,
            latents=latents,
            prior_latents=prior_latents,
            posterior_log_std=posterior_log_std,
            prior_mean=expand(text.prior_mean, index),
            prior_log_std=expand(text.prior_log_std, index),
            frame_mask=frame_mask,
            duration_loss=self._duration_loss(text.hidden, text_mask, durations, speaker, language, generator),
            token_of_frame=index,
            speaker=speaker,
            seams=seams,
        )

    def decode(
        self, batch: VitsBatch, aligned: Aligned, generator: Generators = None, segment_frames: int | None = None
    ) -> Slices:
        """A batch and what `align` made of it -> Slices, the second half of `forward`."""
        hop, size = self.model.config.hop_length, segment_frames or self.segment_frames
        starts = random_starts(batch.waveform_lengths // hop, size, generator)
        heard_frames = take(aligned.frame_mask, starts, size)
        heard = heard_frames.repeat_interleave(hop, dim=-1)
        fake = self.model.decoder(take(aligned.latents, starts, size), aligned.speaker) * heard
        return Slices(
            real=take(batch.waveform, starts * hop, size * hop) * heard,
            fake=fake,
            real_mel=take(self.spectrogram.mel(aligned.spectrogram), starts, size) * heard_frames,
            fake_mel=self.spectrogram.mel(self.spectrogram(fake)) * heard_frames,
        )

    def _align(self, prior_latents: Tensor, text: TextEncoding, text_lengths: Tensor, frame_lengths: Tensor) -> Tensor:
        scores = log_likelihood(prior_latents.detach(), text.prior_mean.detach(), text.prior_log_std.detach())
        return search(scores, text_lengths, frame_lengths)

    def _duration_loss(
        self,
        hidden: Tensor,
        mask: Tensor,
        durations: Tensor,
        speaker: Tensor | None,
        language: Tensor | None,
        generator: Generators,
    ) -> Tensor:
        """The predictor learns from the text, and teaches it nothing (section 2.2.2: its gradient is stopped)."""
        predictor, hidden = self.model.duration_predictor, hidden.detach()
        speaker = None if speaker is None else speaker.detach()
        language = None if language is None else language.detach()
        with torch.autocast(hidden.device.type, enabled=False):  # logarithms and splines need float32
            hidden = hidden.to(mask.dtype)
            if isinstance(predictor, StochasticDurationPredictor):
                frames = durations.unsqueeze(1).to(hidden.dtype)
                return stochastic_duration_loss(
                    predictor.negative_log_likelihood(hidden, mask, frames, speaker, generator, language), mask
                )
            return plain_duration_loss(predictor(hidden, mask, speaker, language), durations, mask)
