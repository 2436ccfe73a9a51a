"""How a voice does on clips that it is not trained on: numbers, and what there is to hear and to see."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from hf_vits.alignment import log_likelihood
from hf_vits.losses import kl_loss, mel_loss
from hf_vits.masks import mask_from_lengths
from hf_vits.randomness import seed_of
from hf_vits.training.batch import VitsBatch
from hf_vits.training.generator import VitsGenerator, VitsTrainingOutput
from hf_vits.training.noise import clip_generators

MEASURES = ("mel", "kl", "duration", "focus")
"""Names of what is measured."""


@dataclass
class HeldOut:
    """
    One clip, whole.

    Args:
        measures (`dict[str, float]`):
            mel (distance of the reconstruction), kl (nats per frame), duration (per token, of either predictor), and
            focus, which is the mean probability of the likeliest token of a frame (Ren et al. 2019); 1 is a sharp
            alignment.
        real_mel, fake_mel (`Tensor` of shape `(M, T_spec)`):
            Log-mels of the recording and of its reconstruction.
        scores (`Tensor` of shape `(T_spec, T_text)`):
            Log-likelihood of each frame under each token.
        token_of_frame (`Tensor` of shape `(T_spec,)`, int64):
            The alignment.
    """

    measures: dict[str, float]
    real_mel: Tensor
    fake_mel: Tensor
    scores: Tensor
    token_of_frame: Tensor


@torch.no_grad()
def evaluate_clip(generator: VitsGenerator, batch: VitsBatch, seed: int) -> HeldOut:
    """A batch of one clip -> HeldOut; with equal seeds its noise is the same in every evaluation."""
    frames = int(batch.waveform_lengths // generator.model.config.hop_length)
    with at_rest(generator):
        out = generator(batch, clip_generators(seed, 0, batch.rows), frames)
        scores = _scores(generator, batch, out)
    measures = (
        mel_loss(out.real_mel, out.fake_mel),
        kl_loss(out.prior_latents, out.posterior_log_std, out.prior_mean, out.prior_log_std, out.frame_mask),
        out.duration_loss,
        scores.softmax(dim=-1).amax(dim=-1).mean(),
    )
    return HeldOut(
        {name: float(value) for name, value in zip(MEASURES, measures, strict=True)},
        out.real_mel[0],
        out.fake_mel[0],
        scores[0],
        out.token_of_frame[0],
    )


@torch.no_grad()
def speak_clip(generator: VitsGenerator, batch: VitsBatch, seed: int) -> Tensor:
    """A batch of one clip -> waveform (T_wav,): its text, spoken as a user would hear it.

    Raises:
        ValueError: if the voice does not know how long a sound lasts, or thinks that it never ends.
    """
    source = torch.Generator().manual_seed(seed_of(seed, 0))
    with at_rest(generator):
        out = generator.model(batch.input_ids, speaker_id=batch.speaker_id, generator=source)
    return out.waveform[0, : int(out.sequence_lengths)]


@contextmanager
def at_rest(generator: VitsGenerator) -> Iterator[None]:
    """Without dropout inside, and with weights that are prepared once; in training again after, whatever happened."""
    if not generator.training:  # inside of another one
        yield
        return
    generator.eval()
    try:
        yield
    finally:
        generator.train()


def _scores(generator: VitsGenerator, batch: VitsBatch, out: VitsTrainingOutput) -> Tensor:
    mask = mask_from_lengths(batch.text_lengths, batch.input_ids.shape[1], out.prior_latents.dtype)
    language = generator.model.language_vector(None, len(batch))
    text = generator.model.text_encoder(batch.input_ids, mask, language=language)
    return log_likelihood(out.prior_latents, text.prior_mean, text.prior_log_std)
