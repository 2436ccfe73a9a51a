"""Speaker similarity: the cosine of an utterance's embedding and the mean one of recordings of its speaker."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from hf_vits.evaluation.base import METRICS, EvaluationOptions, Instruments, Metric, SentenceScore, Utterance


@METRICS.register("similarity")
class SpeakerSimilarity(Metric):
    """Compare with recordings of the target, which `prepare` takes."""

    title = "speaker similarity (cosine)"
    card_type = "speaker_similarity"
    needs_target = True

    def __init__(self, instruments: Instruments):
        self.encode = instruments.speaker_encoder
        self.instrument = self.encode.name
        self.targets: dict[int | None, np.ndarray] = {}

    @classmethod
    def packages(cls, options: EvaluationOptions) -> Mapping[str, str]:
        """Return the packages of the speaker encoder."""
        return options.speaker_encoder_class.packages

    def prepare(self, recordings: Iterable[Utterance]) -> None:
        """
        Average the embeddings of the recordings of each speaker.

        Raises:
            ValueError: if there is no recording.
        """
        embeddings = defaultdict(list)
        for recording in recordings:
            embeddings[recording.speaker].append(self._embedding(recording))
        self.targets = {speaker: _unit(np.mean(found, axis=0)) for speaker, found in embeddings.items()}
        if not self.targets:
            raise ValueError("The metric similarity compares with recordings of the target, and there are none.")

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the cosine, -1 to 1; raise `ValueError` for a speaker without recordings."""
        if utterance.speaker not in self.targets:
            known = ", ".join(map(str, self.targets)) or "none"
            raise ValueError(f"There are no recordings of the speaker {utterance.speaker}, only of {known}.")
        if not utterance.waveform.size:
            return SentenceScore(0.0)
        return SentenceScore(float(self._embedding(utterance) @ self.targets[utterance.speaker]))

    def _embedding(self, utterance: Utterance) -> np.ndarray:
        return _unit(self.encode(utterance.waveform, utterance.sampling_rate))


def _unit(vector: np.ndarray) -> np.ndarray:
    """Scale a vector to the length 1; zeros stay zeros."""
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
