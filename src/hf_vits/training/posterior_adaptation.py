"""Adapt the posterior encoder to new recordings without losing their pitch.

By the divergence from the frozen prior alone it learns the words of a new speaker, but latents of a flat pitch. So
it also learns the known latents of the base model's own speech at the pitch of the recordings, and what it makes of the
recordings must have their pitch, as a network reads it in latents.
"""

import random
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hf_vits.data.batch import VitsBatch
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.sampling import seed_of
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.completion import CROP_FRAMES
from hf_vits.training.dataloader import MapLoader, StreamingLoader
from hf_vits.training.generator import Posterior
from hf_vits.training.latent_pitch import (
    Example,
    PitchOutput,
    PitchReader,
    clips_by_speaker,
    median_pitches,
    pitch_of_frames,
    pitch_ratio,
    recorded_pitches,
    train_reader,
)
from hf_vits.training.own_speech import OwnSpeech, spoken_texts
from hf_vits.training.phase_preparation import PhasePreparation
from hf_vits.training.speaker_perturbation import Perturbation
from hf_vits.training.training_arguments import VitsTrainingArguments

POOL_SIZE, PERTURBATIONS, PERTURBED = 150, 2, 0.95
"""Utterances of the base model that crops are taken from, speakers near the recorded one who say each of them, and the
share of crops that are theirs."""

READ_UTTERANCES, MEASURED_CLIPS = 120, 60
"""Utterances of the base model in whose latents the network learns to read pitch, and recordings that are measured."""

MAX_RATIO = 3.0
"""Factor on the base model's pitch, or its inverse, at most: beyond, overlap-add makes no speech."""

READ, READER, PAIRS = range(3)
"""Numbers that keep the seeds of these draws apart."""


@dataclass(frozen=True)
class OwnSpeechOutput:
    """What the loss of own speech takes: latents, posterior mean and log standard deviation (B, C, T), and the weight
    (B, 1, T) of frames."""

    latents: Tensor
    mean: Tensor
    log_std: Tensor
    weight: Tensor
    requested_losses: tuple[str, ...] = ("own_speech",)


class NearSpeech(OwnSpeech):
    """
    Own speech of a model, as speakers near those of recordings would say it; arguments are those of [`OwnSpeech`], and
    `ratios`, the pitch of recordings over that of the model by the speaker's id, or by `None` for others.
    """

    def __init__(self, *args, ratios: dict[int | None, float]):
        super().__init__(*args)
        self.ratios = ratios
        self.pool_size, self.perturbations, self.share = POOL_SIZE, PERTURBATIONS, PERTURBED

    def other_speaker(self, draw: random.Random, speaker_id: int | None) -> Perturbation:
        """Draw a speaker near the recorded one; any other one if no pitch is known."""
        ratio = self.ratios.get(speaker_id, self.ratios.get(None))
        return Perturbation.draw(draw) if ratio is None else Perturbation.draw_near(draw, ratio)


@dataclass(frozen=True)
class Prepared:
    """What the steps of an adaptation take: own speech, and where both have a pitch the network that reads it, with the
    median of the recordings by speaker in hertz."""

    speech: NearSpeech
    reader: PitchReader | None
    medians: dict[int | None, float]


class PosteriorAdaptation(PhasePreparation[Prepared]):
    """
    What the posterior encoder is compared with while it is adapted, beside the prior.

    The base model is that of the first step of this phase, in which all but its posterior encoder stays; all follows
    from it, the recordings and the seed, so that a resumed run has the same. Arguments are those of
    [`PhasePreparation`].
    """

    def own_speech(self, step: int) -> OwnSpeechOutput:
        """Encode the crops of own speech of a step."""
        with torch.autocast(self.model.device.type, enabled=False):
            crops = self.prepared.speech.crops(step, self.args.adaptation_pairs, CROP_FRAMES)
        with self.accelerator.autocast():
            speaker = self.model.speaker_vector(crops.speaker_ids, len(crops.latents))
            mean, log_std = self.model.posterior_encoder.distribution(crops.features, crops.mask, speaker)
        return OwnSpeechOutput(crops.latents, mean.float(), log_std.float(), crops.weight)

    def pitch(self, batch: VitsBatch, posterior: Posterior) -> PitchOutput | None:
        """Read the pitch of recordings in their latents; `None` if they or the base model have no voiced frame."""
        reader, medians = self.prepared.reader, self.prepared.medians
        if reader is None:
            return None
        lengths = batch.waveform_lengths.tolist()
        tracks = [self._track(waveform[0, :length]) for waveform, length in zip(batch.waveform, lengths, strict=True)]
        ids = [None] * len(batch) if batch.speaker_id is None else batch.speaker_id.tolist()
        centres = torch.tensor([medians.get(speaker_id, medians[None]) for speaker_id in ids])
        f0, mask = pad_sequence(tracks, batch_first=True).to(batch.waveform), posterior.frame_mask[:, 0].float()
        return reader.read(posterior.latents, f0, centres.to(f0), mask)

    def prepare(self) -> Prepared:
        """Let the base model speak, train the network that reads pitch, and measure the recordings."""
        args, device = self.args, self.model.device
        tokenizer, texts = spoken_texts(self.model, self.tokenizer, self.recordings.rows, self.text_column)
        by_speaker = clips_by_speaker(self.recordings, self.model.config, MEASURED_CLIPS)
        speakers = [speaker_id for speaker_id in by_speaker if speaker_id is not None]
        self.announce(f"The base voice says {READ_UTTERANCES} texts, to learn how its latents hold the pitch.")
        own = OwnSpeech(self.model, tokenizer, texts, args.seed, speakers)
        examples = [self._example(own, number) for number in range(READ_UTTERANCES)]
        bases = median_pitches((example.speaker_id, example.f0) for example in examples)
        recorded = recorded_pitches(self.recordings, by_speaker, self.model.config)
        reader, ratios = None, {}
        if bases and recorded:
            reader, error = train_reader(examples, bases, seed_of(args.seed, READER))
            ratios = {key: _ratio(key, recorded, bases) for key in {*recorded, *bases}}
            self.announce(
                f"The recordings' pitch is {recorded[None]:.0f} Hz in the median, the base voice's {bases[None]:.0f} "
                f"Hz; it is read in latents with a median error of {error:.2f} semitones."
            )
        else:
            which = "base voice's speech has" if recorded else "recordings have"
            self.announce(f"The {which} no pitch; the posterior encoder is adapted without it.")
        seed = seed_of(args.seed, PAIRS, self.accelerator.process_index)
        speech = NearSpeech(self.model, tokenizer, texts, seed, speakers, ratios=ratios)
        return Prepared(speech, reader and reader.to(device), recorded)

    def _example(self, own: OwnSpeech, number: int) -> Example:
        draw = random.Random(seed_of(self.args.seed, READ, number))
        spoken = own.say(draw, own.texts, own.varied(draw))
        f0 = self._track(spoken.waveform[0, 0])
        return Example(spoken.out.latents[0].cpu(), f0, spoken.speaker_id)

    def _track(self, waveform: Tensor) -> Tensor:
        config = self.model.config
        return pitch_of_frames(waveform, config.sampling_rate, config.hop_length)


def _ratio(speaker_id: int | None, recorded: dict[int | None, float], bases: dict[int | None, float]) -> float:
    """Return what the base model's pitch is multiplied by, within the limits of overlap-add."""
    return min(max(pitch_ratio(speaker_id, recorded, bases), 1 / MAX_RATIO), MAX_RATIO)


def adaptation_of(
    args: VitsTrainingArguments,
    model: VitsModel,
    tokenizer: VitsTokenizer,
    loader: MapLoader | StreamingLoader,
    text_column: str,
    accelerator: Accelerator,
) -> PosteriorAdaptation | None:
    """
    Return what the posterior encoder is compared with in its adaptation; `None` if that is the prior alone.

    Raises:
        ValueError: if the data is a stream, whose recordings are not known.
    """
    if not (args.posterior_adaptation_steps and args.adaptation_pairs):
        return None
    if not isinstance(loader, MapLoader):
        raise ValueError(
            "`posterior_adaptation_steps` measures the pitch of the recordings, and needs data that is no stream. Load "
            "it as a whole, or set `adaptation_pairs` to 0, which adapts by the divergence alone and loses pitch."
        )
    return PosteriorAdaptation(model, tokenizer, loader.clips_dataset, text_column, args, accelerator)
