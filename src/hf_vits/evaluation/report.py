"""Figures of a set of utterances, each with a confidence interval by bootstrap over the sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

RESAMPLES = 1000
"""Bootstrap samples of an interval."""

LEVEL = 0.95
"""Probability of an interval."""


@dataclass(frozen=True)
class Estimate:
    """A figure, its 95 % confidence interval, and the number of sentences."""

    value: float
    low: float
    high: float
    sentences: int

    @classmethod
    def of(cls, values: Sequence[float], weights: Sequence[float], seed: int = 0) -> "Estimate":
        """
        Estimate `sum(values) / sum(weights)`; the interval is that of sentences drawn with replacement.

        Args:
            values, weights (`Sequence[float]`):
                Scores of the sentences.
            seed (`int`, *optional*, defaults to 0):
                Seed of the drawing.
        """
        pairs = np.stack([values, weights], axis=-1).astype(np.float64)
        return cls._of_samples(_ratio(pairs[None]), _ratio(pairs[_drawn(len(pairs), seed)]), len(pairs))

    @classmethod
    def of_difference(cls, scores: np.ndarray, others: np.ndarray, seed: int = 0) -> "Estimate":
        """
        Estimate how much greater the figure of one voice is than that of another one on the same sentences.

        Sentences are drawn for both at once, so that what makes a sentence hard does not widen the interval. Without
        zero in the interval the difference is significant.

        Args:
            scores, others (`np.ndarray` of shape `(N, 2)`):
                Value and weight of each sentence, as the two voices speak it.
            seed (`int`, *optional*, defaults to 0):
                Seed of the drawing.
        """
        drawn = _drawn(len(scores), seed)
        difference = _ratio(scores[drawn]) - _ratio(others[drawn])
        return cls._of_samples(_ratio(scores[None]) - _ratio(others[None]), difference, len(scores))

    @classmethod
    def _of_samples(cls, value: np.ndarray, samples: np.ndarray, sentences: int) -> "Estimate":
        samples = samples[np.isfinite(samples)]
        if not samples.size:
            return cls(float("nan"), float("nan"), float("nan"), sentences)
        low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return cls(float(value[0]), float(low), float(high), sentences)


def _drawn(count: int, seed: int) -> np.ndarray:
    """-> sentences of each bootstrap sample (RESAMPLES, count)."""
    return np.random.default_rng(seed).integers(max(count, 1), size=(RESAMPLES, count))


def _ratio(pairs: np.ndarray) -> np.ndarray:
    """Values and weights (K, N, 2) -> the figure of each sample (K,), not a number if it has no weight."""
    totals = pairs.sum(axis=1)
    return np.divide(totals[:, 0], totals[:, 1], out=np.full(len(totals), np.nan), where=totals[:, 1] > 0)


@dataclass(frozen=True)
class SpeechReport:
    """
    What metrics give for a set of utterances.

    Args:
        estimates (`dict[str, Estimate]`):
            The figure of each metric by name.
        rows (`list[dict]`):
            For each utterance its text, speaker, transcript if there is one, and `[value, weight]` of each metric.
    """

    estimates: dict[str, Estimate]
    rows: list[dict[str, Any]]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], metrics: Sequence[str]) -> "SpeechReport":
        """Summarize the rows of all utterances."""
        rows = [dict(row) for row in rows]
        return cls({name: Estimate.of(*scores_of(rows, name).T) for name in metrics}, rows)

    def difference(self, other: "SpeechReport") -> dict[str, Estimate]:
        """Return by how much figures are greater than those of another voice, which spoke the same sentences."""
        pairs = {name: [scores_of(report.rows, name) for report in (self, other)] for name in self.estimates}
        return {name: Estimate.of_difference(*scores) for name, scores in pairs.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return figures and rows, for a JSON file."""
        return asdict(self)


def scores_of(rows: Sequence[Mapping[str, Any]], metric: str) -> np.ndarray:
    """Return the value and weight of each row, (N, 2)."""
    return np.array([row[metric] for row in rows], dtype=np.float64).reshape(-1, 2)
