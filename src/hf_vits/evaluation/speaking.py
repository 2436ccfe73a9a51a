"""Sentences to measure a voice by, and the voice that speaks them as the pipeline does for users."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from hf_vits.evaluation.base import Utterance
from hf_vits.modules.sampling import seed_of
from hf_vits.pipeline import TextToSpeechPipeline

logger = logging.getLogger(__name__)


class Sentence(NamedTuple):
    """A text to speak, and the id of its speaker in a voice of several."""

    text: str
    speaker: int | None = None


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


def speak(pipe: TextToSpeechPipeline, sentence: Sentence, seed: int, number: int) -> Utterance:
    """Speak a sentence; seed and number decide the noise. One that the model cannot speak has no samples."""
    source = torch.Generator().manual_seed(seed_of(seed, number))
    try:
        waveform = pipe(sentence.text, speaker_id=sentence.speaker, generator=source)["audio"]
    except ValueError as error:  # a duration that is not finite, or much too long
        logger.warning(f"The voice cannot speak {sentence.text!r}, which gets the worst scores: {error}")
        waveform = np.zeros(0, dtype=np.float32)
    return Utterance(sentence.text, waveform, pipe.sampling_rate, sentence.speaker)
