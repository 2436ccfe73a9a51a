"""Speech of the base model by speakers that the data lacks: a decoder that learns a new speaker keeps the others.

With text side, flow and speaker embedding frozen, the latents of other speakers stay as they are, and only the decoder
could change their sound. It is trained on what it made of them before (rehearsal, Robins 1995): their latents are
known, and the waveform that the base decoded from them stands for a recording.
"""

import copy
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.sampling import seed_of
from hf_vits.training.dataloader import MapLoader, StreamingLoader
from hf_vits.training.generator import Segments, VitsGenerator
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.formatting import listed
from hf_vits.utils.parameter_names import matching_patterns

logger = logging.getLogger(__name__)

POOL_SIZE, STEPS_PER_UTTERANCE = 64, 8
"""Utterances that segments are taken from, and steps after which a new one replaces the oldest."""

SHARED = ("text_encoder", "duration_predictor", "flow", "embed_speaker")
"""Modules beside the decoder that all speakers share; replay keeps no speaker whose latents change."""

UTTERANCES, SEGMENTS = range(2)
"""Numbers that keep the seeds of these draws apart."""


@dataclass(frozen=True)
class Utterance:
    """Speech of the base model: latents (C, T_spec), linear magnitudes (F, T_spec), waveform (1, T_wav) and speaker."""

    latents: Tensor
    spectrogram: Tensor
    waveform: Tensor
    speaker_id: int | None


class Replay:
    """
    Segments of a model's own speech as it was before training; they follow from the seed and the number of a step.

    Args:
        model ([`VitsModel`]):
            The model as it was before training, which stays as it is: a copy, if it is trained.
        texts (`Sequence[Sequence[int]]`):
            What it says: the tokens of each text.
        speakers (`Sequence[int | None]`):
            Ids of the speakers who say it; `None` is the only one of a model.
        size (`int`):
            Segments per step.
        seed (`int`):
            Seed of all draws.
    """

    def __init__(
        self, model: VitsModel, texts: Sequence[Sequence[int]], speakers: Sequence[int | None], size: int, seed: int
    ):
        self.model = model.eval().requires_grad_(False)
        by_length = sorted(texts, key=len)
        self.texts = by_length[len(by_length) // 2 :]  # single words make poor speech
        self.speakers, self.size, self.seed = list(speakers), size, seed
        self.known: dict[int, Utterance] = {}

    def segments(self, generator: VitsGenerator, step: int, *draw: int) -> Segments:
        """Return the segments of a step and of further numbers, such as that of the process, decoded by `generator`."""
        source = random.Random(seed_of(self.seed, SEGMENTS, step, *draw))
        numbers = range(step // STEPS_PER_UTTERANCE, step // STEPS_PER_UTTERANCE + POOL_SIZE)
        self.known = {number: known for number, known in self.known.items() if number in numbers}
        chosen = [self._utterance(source.choice(numbers), generator) for _ in range(self.size)]
        size, hop = generator.segment_frames, self.model.config.hop_length
        starts = [source.randint(0, max(0, one.latents.shape[-1] - size)) for one in chosen]

        def stacked(values: Sequence[Tensor], scale: int = 1) -> Tensor:
            ends = [(start * scale, (start + size) * scale) for start in starts]
            cut = [value[..., left:right] for value, (left, right) in zip(values, ends, strict=True)]
            return torch.stack([F.pad(value, (0, size * scale - value.shape[-1])) for value in cut])

        latents, spectrogram = (stacked([getattr(one, name) for one in chosen]) for name in ("latents", "spectrogram"))
        mask = stacked([torch.ones_like(one.latents[:1]) for one in chosen])
        ids = [one.speaker_id for one in chosen]
        ids = None if None in ids else torch.tensor(ids, device=latents.device)
        return generator.decode_latents(
            stacked([one.waveform for one in chosen], hop),
            torch.zeros(len(chosen), dtype=torch.long, device=latents.device),
            spectrogram,
            mask,
            latents,
            generator.model.speaker_vector(ids, len(chosen)),
        )

    @torch.no_grad()
    def _utterance(self, number: int, generator: VitsGenerator) -> Utterance:
        if number not in self.known:
            source, model = random.Random(seed_of(self.seed, UTTERANCES, number)), self.model
            speaker_id, device = source.choice(self.speakers), model.device
            ids = torch.tensor([source.choice(self.texts)], device=device)
            speaker, noise = model.speaker_vector(speaker_id, 1), torch.Generator().manual_seed(source.getrandbits(63))
            with torch.autocast(device.type, enabled=False):
                language = model.language_vector(None, 1)
                latents = model.latents(ids, speaker=speaker, language=language, generator=noise).latents
                waveform = model.decode(latents, speaker=speaker)
                spectrogram = generator.spectrogram(waveform)
            self.known[number] = Utterance(latents[0], spectrogram[0], waveform[0], speaker_id)
        return self.known[number]


def replay_of(
    args: VitsTrainingArguments, model: VitsModel, loader: MapLoader | StreamingLoader, announce: bool = True
) -> Replay | None:
    """
    Return the replay of the speakers of a model before training that its data lacks; `None` if there are none.

    Raises:
        ValueError: if it is wanted and the data is a stream, whose speakers are not known; or if modules are trained
            that all speakers share, beside the decoder.
    """
    if not args.replay_batch_size or model.config.num_speakers < 2:
        return None
    if not isinstance(loader, MapLoader):
        raise ValueError("`replay_batch_size` needs data that is no stream. Load it as a whole, or set it to 0.")
    clips = loader.clips_dataset.clips
    others = sorted(set(range(model.config.num_speakers)) - {clip.speaker_id for clip in clips})
    if not others:
        return None
    speakers = model.config.speaker_names or [str(number) for number in range(model.config.num_speakers)]
    kept = listed([speakers[number] for number in others])
    names = [name for name, _ in model.named_parameters() if name.startswith(SHARED)]
    frozen = matching_patterns(names, args.freeze_modules, "freeze_modules", args.freeze_modules)
    if any(not any(pattern.match(name) for pattern in frozen) for name in names):
        raise ValueError(
            f"The recordings are of other speakers than {kept}, who would change too, because `freeze_modules` is "
            f"{args.freeze_modules}. To keep them, set it to {','.join(SHARED)}; to let them change, set "
            "`replay_batch_size` to 0."
        )
    if announce:
        logger.info(
            f"Each step trains on {args.replay_batch_size} segments of the base model's speech too, so that {kept} "
            "stay as they are."
        )
    model = copy.deepcopy(model)
    return Replay(model, [clip.input_ids for clip in clips], others, args.replay_batch_size, args.seed)
