"""Fit the default speaking rate of a model to recordings, for a duration predictor that is not trained on them."""

import logging
import math
from collections.abc import Iterable

import torch
from torch import Tensor

from hf_vits.data.batch import VitsBatch
from hf_vits.data.dataset import collate
from hf_vits.inference.arguments import CallArguments
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.masks import frames_of_token
from hf_vits.training.dataloader import MapLoader, StreamingLoader
from hf_vits.training.evaluation import eval_mode
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.train_step import clip_generators
from hf_vits.training.training_arguments import VitsTrainingArguments

logger = logging.getLogger(__name__)

EDGE_TOKENS = 3
"""Tokens at each end of a text that are not counted: silence of the recording is aligned to them, of any length."""

MIN_RATE, MAX_RATE = 0.5, 2.0
"""Rates beyond which the alignment is wrong rather than the speaker slow or fast."""

CLIPS = 64
"""Training clips that are measured: the longest ones. People say single words more slowly than sentences."""

ITERATIONS = 50
"""Halvings of the interval of the rate, more than float32 resolves."""


def solve_rate(predicted: Tensor, frames: int) -> float | None:
    """
    Return the speaking rate at which predicted durations sum to so many frames.

    The sum of ⌈d / rate⌉, as inference rounds it, falls with the rate, so that halving an interval finds it; without
    the rounding up it would be Σ d / frames.

    Args:
        predicted (`Tensor` of shape `(N,)`):
            Predicted frames of each token at rate 1, not rounded.
        frames (`int`):
            Frames that the tokens have in recordings.

    Returns:
        `float`, *optional*: the rate; `None` if it is beyond `MIN_RATE` and `MAX_RATE`.
    """
    predicted = predicted.double()

    def total(rate: float) -> float:
        return float(torch.ceil(predicted / rate).sum())

    if not total(MAX_RATE) <= frames <= total(MIN_RATE):
        return None
    low, high = math.log(MIN_RATE), math.log(MAX_RATE)
    for _ in range(ITERATIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if total(math.exp(middle)) > frames else (low, middle)
    return math.exp(high)


@torch.no_grad()
def fit_speaking_rate(generator: VitsGenerator, batches: Iterable[VitsBatch], seed: int) -> float | None:
    """
    Return the speaking rate at which a model's durations are those of recordings, over all clips.

    Args:
        generator ([`VitsGenerator`]):
            The model; its posterior encoder and flow must be trained, because they align the recordings.
        batches (`Iterable[VitsBatch]`):
            Batches of one clip each, on the model's device.
        seed (`int`):
            Seed of the noise.

    Returns:
        `float`, *optional*: the rate; `None` if no clip has inner tokens, or the rate is not plausible.
    """
    predicted, frames = [], 0
    with eval_mode(generator):
        for batch in batches:
            noise, tokens = clip_generators(seed, 0, batch.rows), batch.input_ids.shape[1]
            posterior = generator.posterior(batch, noise)
            aligned = generator.align(batch, posterior, noise).token_index
            lengths = batch.waveform_lengths // generator.model.config.hop_length
            inner = slice(EDGE_TOKENS, max(EDGE_TOKENS, tokens - EDGE_TOKENS))
            frames += int(frames_of_token(aligned, lengths, tokens)[0, inner].sum())
            predicted.append(predicted_frames(generator, batch, posterior.speaker, noise)[inner])
    return solve_rate(torch.cat(predicted), frames) if predicted and sum(map(len, predicted)) else None


def predicted_frames(generator: VitsGenerator, batch: VitsBatch, speaker: Tensor | None, noise) -> Tensor:
    """A batch of one clip -> frames of its tokens at rate 1, not rounded, (T_text,)."""
    model = generator.model
    arguments = CallArguments.from_vectors(model, batch.input_ids, None, speaker, None, generator=noise)
    language, speaker = arguments.language, arguments.speaker
    hidden = model.text_encoder(arguments.input_ids, arguments.mask, language=language, speaker=speaker).hidden
    return model.log_durations(hidden, arguments).exp()[0, 0].cpu()


class SpeakingRate:
    """
    Keep the default speaking rate of a model that is being trained at that of its recordings.

    Args:
        args ([`VitsTrainingArguments`]):
            Settings.
        loader ([`MapLoader`] or [`StreamingLoader`]):
            The training data.
        num_speakers (`int`):
            Speakers of the model.

    Raises:
        ValueError: if the rate is to be fitted, and the data is a stream.
    """

    def __init__(self, args: VitsTrainingArguments, loader: MapLoader | StreamingLoader, num_speakers: int):
        self.args, self.loader, self.step = args, loader, -1
        if not args.fit_speaking_rate:
            return
        if not isinstance(loader, MapLoader):
            raise ValueError(
                "`fit_speaking_rate` needs data that is no stream. Load it as a whole, or set it to false."
            )
        self.is_shared = num_speakers > 1
        if self.is_shared:
            logger.warning(
                f"`fit_speaking_rate` has no effect: a voice has one rate, and this one has {num_speakers} speakers."
            )

    def update(self, model: VitsModel, step: int) -> None:
        """Fit the rate of a model after so many steps, and set it in its configuration; once for each step."""
        if not self.args.fit_speaking_rate or self.is_shared or step == self.step:
            return
        self.step = step
        generator = VitsGenerator(model).to(model.device)
        dataset = self.loader.clips_dataset  # recordings, without the pauses between joined ones
        batches = (collate([dataset[index]]).to(model.device) for index in dataset.by_length[-CLIPS:])
        rate = fit_speaking_rate(generator, batches, self.args.seed)
        if rate is None:
            logger.warning(
                f"The speaking rate stays {model.config.speaking_rate:g}: that of the recordings is not between "
                f"{MIN_RATE:g} and {MAX_RATE:g} of the duration predictor's. Do the texts match the recordings?"
            )
        else:
            model.config.speaking_rate = rate
            logger.info(f"The speaking rate is {rate:.3f}, as in the recordings.")
