"""Speech of a voice itself, whose latents and durations are known: a pool of utterances, and crops of them.

Everything follows from the seed and the number of an utterance or a step, so that a resumed run has the same crops.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.data.columns import plain_rows, rows_of
from hf_vits.modeling_vits import VitsLatents, VitsModel
from hf_vits.modules.sampling import seed_of
from hf_vits.modules.spectrogram import Spectrogram
from hf_vits.text import sentence_splitter
from hf_vits.text.sentences import plain_sentences
from hf_vits.text.writing_systems import too_many_other_letters
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.speaker_perturbation import Perturbation, perturbed_magnitudes
from hf_vits.utils.logging import silence_logging

POOL_SIZE, FIRST_UTTERANCES, STEPS_PER_UTTERANCE = 300, 16, 4
"""Utterances that crops are taken from; those of the first step; and steps after which a full pool replaces one."""

NOISE_SCALES, SPEAKING_RATES = (0.3, 1.0), (0.8, 1.25)
"""Ranges of the noise scales of utterances, and of their rates relative to the voice's own."""

PERTURBATIONS, PERTURBED = 3, 0.7
"""Other speakers of each utterance, and the share of crops that are theirs: the encoder is to encode people whom the
voice does not know to the latents that the voice would have for their words."""

MIN_CHARACTERS, MAX_CHARACTERS = 30, 200
"""Shorter texts are joined to others, as single words make poor speech; longer ones are divided."""

MAX_TEXTS = 2000
"""Texts that are used; more take minutes to be read, and add no sound that the others lack."""

UTTERANCES, FRESH, CROPS, DURATIONS = range(4)
"""Numbers that keep the seeds of these draws apart."""


@dataclass(frozen=True)
class Utterance:
    """
    Speech of the voice and what it was made from.

    Args:
        features (`Tensor` of shape `(F|M, T_spec)`):
            Input of the posterior encoder.
        latents (`Tensor` of shape `(C, T_spec)`):
            What was decoded.
        hidden (`Tensor` of shape `(H, T_text)`), durations (`Tensor` of shape `(T_text,)`, int64):
            Input of the duration predictor, and frames of each token.
        speaker_id (`int`, *optional*):
            Its speaker, if the voice has several.
        perturbed (`tuple` of `Tensor` of shape `(F|M, T_spec)`):
            Features that it would have if other speakers said it.
    """

    features: Tensor
    latents: Tensor
    hidden: Tensor
    durations: Tensor
    speaker_id: int | None = None
    perturbed: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Spoken:
    """A text as the voice says it: tokens (1, T_text), what `VitsModel.latents` returns, waveform (1, 1, T_wav), and
    the speaker's id, if the voice has several."""

    input_ids: Tensor
    out: VitsLatents
    waveform: Tensor
    speaker_id: int | None


@dataclass(frozen=True)
class Crops:
    """Crops of utterances: features (B, F|M, T), latents (B, C, T), mask (B, 1, T) of real frames, weight (B, 1, T) of
    those with their whole context, and ids of speakers, int64 (B,), if there are several."""

    features: Tensor
    latents: Tensor
    mask: Tensor
    weight: Tensor
    speaker_ids: Tensor | None


class OwnSpeech:
    """
    Utterances of a voice, by their numbers; the last of them are kept in memory.

    Args:
        model ([`VitsModel`]):
            The voice, in evaluation mode.
        tokenizer ([`VitsTokenizer`]):
            Its tokenizer.
        texts (`Sequence[str]`):
            What it speaks, as `usable_texts` returns them; some are only for `fresh` utterances if there are enough.
        seed (`int`):
            Seed of all draws.
        speakers (`Sequence[int]`, *optional*):
            Ids of the speakers who say it; by default all, if the voice has several.
    """

    def __init__(
        self,
        model: VitsModel,
        tokenizer: VitsTokenizer,
        texts: Sequence[str],
        seed: int,
        speakers: Sequence[int] | None = None,
    ):
        self.model, self.tokenizer, self.seed = model, tokenizer, seed
        self.speakers = speakers or range(model.config.num_speakers)
        self.pool_size, self.perturbations, self.share = POOL_SIZE, PERTURBATIONS, PERTURBED
        self.fresh_texts = texts[9::10] or texts
        self.texts = [text for text in texts if text not in self.fresh_texts] or texts
        self.spectrogram = Spectrogram(model.config).to(model.device)
        self.context = model.posterior_encoder.context
        self.known: dict[int, Utterance] = {}

    def pool(self, step: int) -> range:
        """Return the numbers of the utterances of a step: one more each step, and a full pool replaces the oldest."""
        filling = min(step, self.pool_size - FIRST_UTTERANCES)
        count = FIRST_UTTERANCES + filling + (step - filling) // STEPS_PER_UTTERANCE
        return range(max(0, count - self.pool_size), count)

    def utterance(self, number: int, step: int) -> Utterance:
        """Return an utterance of the pool of a step, which varies in noise, rate and speaker; forget older ones."""
        for old in [known for known in self.known if known not in self.pool(step)]:
            del self.known[old]
        if number not in self.known:
            draw = random.Random(seed_of(self.seed, UTTERANCES, number))
            spoken = self.say(draw, self.texts, self.varied(draw))
            changes = [self.other_speaker(draw, spoken.speaker_id) for _ in range(self.perturbations)]
            self.known[number] = self._utterance(spoken, changes)
        return self.known[number]

    def fresh(self, number: int) -> Utterance:
        """Return an utterance that no step uses, with the voice's own scales and rate."""
        return self._utterance(self.say(random.Random(seed_of(self.seed, FRESH, number)), self.fresh_texts, {}))

    def varied(self, draw: random.Random) -> dict[str, float]:
        """Draw noise scales and a rate."""
        options = {name: draw.uniform(*NOISE_SCALES) for name in ("noise_scale", "noise_scale_duration")}
        rate = self.model.config.speaking_rate * draw.uniform(*SPEAKING_RATES)
        return {**options, "speaking_rate": min(max(rate, 0.1), 10.0)}

    def other_speaker(self, draw: random.Random, speaker_id: int | None) -> Perturbation:
        """Draw how another speaker than this one says it."""
        return Perturbation.draw(draw)

    @torch.no_grad()
    def say(self, draw: random.Random, texts: Sequence[str], options: dict[str, float]) -> Spoken:
        """Speak random texts until one has a spectrogram; the shortest have none."""
        model, several = self.model, self.model.config.num_speakers > 1
        edge = (self.spectrogram.fft_size - self.spectrogram.hop_length) // 2
        for _ in range(20):
            with silence_logging():
                ids = self.tokenizer(_joined(draw, texts), return_tensors="pt").input_ids.to(model.device)
            speaker_id = draw.choice(self.speakers) if several else None
            speaker, language = model.speaker_vector(speaker_id, 1), model.language_vector(None, 1)
            generator = torch.Generator().manual_seed(draw.getrandbits(63))
            out = model.latents(ids, speaker=speaker, language=language, generator=generator, **options)
            waveform = model.decode(out.latents, speaker=speaker)
            if waveform.shape[-1] > edge:
                return Spoken(ids, out, waveform, speaker_id)
        raise ValueError(
            f"The voice says texts in at most {edge} samples, which have no spectrogram; give longer texts."
        )

    @torch.no_grad()
    def _utterance(self, spoken: Spoken, changes: Sequence[Perturbation] = ()) -> Utterance:
        """Return what a training takes of speech, and of it as other speakers would say it."""
        model, ids, out = self.model, spoken.input_ids, spoken.out
        features = self._features(self.spectrogram(spoken.waveform))
        perturbed = tuple(self._features(self._perturbed(spoken.waveform, change))[0] for change in changes)
        speaker, language = model.speaker_vector(spoken.speaker_id, 1), model.language_vector(None, 1)
        mask = torch.ones_like(ids).unsqueeze(1).float()
        hidden = model.text_encoder(ids, mask, language=language, speaker=speaker).hidden
        return Utterance(features[0], out.latents[0], hidden[0], out.durations[0], spoken.speaker_id, perturbed)

    def _features(self, magnitudes: Tensor) -> Tensor:
        return self.spectrogram.mel(magnitudes) if self.model.config.posterior_input == "mel" else magnitudes

    def _perturbed(self, waveform: Tensor, change: Perturbation) -> Tensor:
        """waveform (1, 1, T) -> magnitudes (1, F, T_spec) as of another speaker."""
        rate, spectrogram = self.model.config.sampling_rate, self.spectrogram
        sizes = (rate, spectrogram.fft_size, spectrogram.hop_length, spectrogram.window)
        return perturbed_magnitudes(waveform[0, 0], change, *sizes)[None]

    def crops(self, step: int, size: int, frames: int) -> Crops:
        """Return `size` crops of `frames` frames with their context, from random utterances of the pool of a step."""
        draw, pool = random.Random(seed_of(self.seed, CROPS, step)), self.pool(step)
        chosen = [self.utterance(draw.choice(pool), step) for _ in range(size)]
        starts = [draw.randint(0, max(0, one.latents.shape[1] - frames)) for one in chosen]
        inputs = [draw.choice(one.perturbed) if draw.random() < self.share else one.features for one in chosen]
        cut = [
            _cropped(features, one.latents, start, frames, self.context)
            for features, one, start in zip(inputs, chosen, starts, strict=True)
        ]
        features, latents, masks = (torch.stack(parts) for parts in zip(*cut, strict=True))
        weight = masks.clone()
        weight[..., : self.context] = weight[..., self.context + frames :] = 0
        ids = [one.speaker_id for one in chosen]
        return Crops(features, latents, masks, weight, None if None in ids else torch.tensor(ids))

    def timed(self, step: int) -> Utterance:
        """Return the utterance whose durations a step trains on."""
        draw = random.Random(seed_of(self.seed, DURATIONS, step))
        return self.utterance(draw.choice(self.pool(step)), step)


def spoken_texts(model: VitsModel, tokenizer: VitsTokenizer, rows, text_column: str) -> tuple[VitsTokenizer, list[str]]:
    """Return the tokenizer and the texts with which a model speaks: those of the rows; or, if they are of a language
    that it does not speak yet, built-in sentences of its own one, if there are any."""
    with suppress(OSError, ValueError):
        own = VitsTokenizer.from_pretrained(model.name_or_path) if model.name_or_path else tokenizer
        if own.text_language != tokenizer.text_language:
            return own, usable_texts(plain_sentences(own.text_language), own)
    return tokenizer, usable_texts(texts_of(rows, text_column), tokenizer)


def texts_of(dataset, column: str) -> Iterator[str]:
    """Yield texts of a data set, spread evenly over it; of a stream, which is not rewound, the first ones."""
    rows = plain_rows(dataset, [column])
    if not hasattr(rows, "__len__"):
        return (row[column] for row in islice(rows_of(rows), MAX_TEXTS))
    step = max(1, len(rows) / MAX_TEXTS)
    return (rows[int(number * step)][column] for number in range(min(len(rows), MAX_TEXTS)))


def usable_texts(texts: Iterable[str], tokenizer: VitsTokenizer) -> list[str]:
    """
    Return the sentences of texts that a voice can say, each once, at most `MAX_TEXTS`.

    Raises:
        ValueError: if it can say none of them.
    """
    language = tokenizer.text_language
    given = islice((text for text in texts if isinstance(text, str) and text.strip()), MAX_TEXTS)
    sentences = (part for text in given for part in sentence_splitter.split(text, MAX_CHARACTERS, language))
    with silence_logging():
        usable = list(islice((text for text in dict.fromkeys(sentences) if _can_say(tokenizer, text)), MAX_TEXTS))
    if not usable:
        raise ValueError("The voice can say none of the texts; give texts of its language, in its script.")
    return usable


def _can_say(tokenizer: VitsTokenizer, text: str) -> bool:
    if too_many_other_letters(tokenizer.letters_of_other_scripts(text), text):
        return False
    try:
        return bool(tokenizer(text).input_ids)
    except ValueError:  # nothing of it is in the vocabulary, or espeak-ng cannot read it
        return False


def _joined(draw: random.Random, texts: Sequence[str]) -> str:
    joined = draw.choice(texts)
    while len(joined) < MIN_CHARACTERS:
        joined += " " + draw.choice(texts)
    return joined


def _cropped(features: Tensor, latents: Tensor, start: int, frames: int, context: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return features, latents and mask of the frames from `start`, with context; zero outside the utterance."""
    length = latents.shape[1]
    left, right = max(0, start - context), min(length, start + frames + context)
    pad = (left - (start - context), start + frames + context - right)
    mask = F.pad(latents.new_ones(1, right - left), pad)
    return F.pad(features[:, left:right], pad), F.pad(latents[:, left:right], pad), mask
