"""Sentences to measure a voice by, and the voice that speaks them as the pipeline does for users."""

import logging
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from hf_vits.evaluation.base import Synthesis, Utterance
from hf_vits.modules.sampling import seed_of
from hf_vits.pipeline import TextToSpeechPipeline

logger = logging.getLogger(__name__)

READINGS = 8
"""Readings of a text with different noise, which show how much durations differ."""


class Sentence(NamedTuple):
    """A text to speak, and the id of its speaker in a voice of several."""

    text: str
    speaker: int | None = None


class PipelineSynthesis(Synthesis):
    """The synthesis of a sentence by a pipeline; `seed` and `number` determine the noise."""

    def __init__(self, pipe: TextToSpeechPipeline, sentence: Sentence, seed: int, number: int):
        self.pipe, self.sentence, self.seed, self.number = pipe, sentence, seed, number
        self.seconds = 0.0
        self.readings = cache(self._readings)

    def speak(self) -> np.ndarray:
        """Return the waveform (T_wav,), and keep the time that it took."""
        start = time.perf_counter()
        waveform = self.pipe(self.sentence.text, **self._arguments())["audio"]
        self.seconds = time.perf_counter() - start
        return waveform

    def seconds_to_first_sound(self) -> float:
        """Speak the text again, as a stream, and return the time until its first chunk."""
        start = time.perf_counter()
        next(self.pipe.stream(self.sentence.text, **self._arguments()))
        return time.perf_counter() - start

    def _arguments(self) -> dict:
        source = torch.Generator().manual_seed(seed_of(self.seed, self.number))
        return {"speaker_id": self.sentence.speaker, "generator": source}

    @torch.no_grad()
    def _readings(self) -> np.ndarray:
        """Draw the durations of each sentence of the text, without decoding them."""
        model, parts = self.pipe.model, []
        speaker = model.speaker_vector(self.sentence.speaker, READINGS)
        sources = [torch.Generator().manual_seed(seed_of(self.seed, self.number, i)) for i in range(READINGS)]
        for encoding in self.pipe.preprocess(self.sentence.text):
            ids = encoding["input_ids"].to(model.device).expand(READINGS, -1)
            language = model.language_vector(None, READINGS)
            parts.append(model.prior(ids, speaker=speaker, language=language, generator=sources).durations)
        seconds_per_frame = model.hop_length / self.pipe.sampling_rate
        return torch.cat(parts, dim=1).cpu().numpy() * seconds_per_frame


def read_texts(file: str, count: int, setting: str) -> list[str]:
    """
    Return up to so many lines of a file that hold a text; `setting` names the file in errors.

    Raises:
        ValueError: if the file cannot be read, or has no text.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = f"`{setting}` cannot be read: {error}. Give a text file in UTF-8, a sentence per line."
        raise ValueError(reason) from error
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise ValueError(f"`{setting}` is {file}, which has no text; write a sentence per line into it.")
    return texts[:count]


def speak(
    pipe: TextToSpeechPipeline, sentence: Sentence, seed: int, number: int, recording: Utterance | None = None
) -> Utterance:
    """
    Speak a sentence; seed and number decide the noise. One that the model cannot speak has no samples.

    Args:
        pipe ([`TextToSpeechPipeline`]):
            The voice.
        sentence ([`Sentence`]):
            What to speak.
        seed, number (`int`):
            Seed of all sentences, and number of this one.
        recording ([`Utterance`], *optional*):
            A recording of the same sentence, for metrics that compare with it.
    """
    synthesis = PipelineSynthesis(pipe, sentence, seed, number)
    try:
        waveform = synthesis.speak()
    except ValueError as error:  # a duration that is not finite, or much too long
        logger.warning(f"The voice cannot speak {sentence.text!r}, which gets the worst scores: {error}")
        waveform, synthesis = np.zeros(0, dtype=np.float32), None
    return Utterance(sentence.text, waveform, pipe.sampling_rate, sentence.speaker, None, recording, synthesis)
