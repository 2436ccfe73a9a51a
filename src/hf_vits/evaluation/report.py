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
        values, weights = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
        if not values.size or not weights.sum():
            return cls(float("nan"), float("nan"), float("nan"), len(values))
        drawn = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
        totals = weights[drawn].sum(axis=1)
        ratios = values[drawn].sum(axis=1)[totals > 0] / totals[totals > 0]
        low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return cls(float(values.sum() / weights.sum()), float(low), float(high), len(values))


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
        scores = {name: np.array([row[name] for row in rows], dtype=np.float64).reshape(-1, 2) for name in metrics}
        return cls({name: Estimate.of(*pairs.T) for name, pairs in scores.items()}, rows)

    def to_dict(self) -> dict[str, Any]:
        """Return figures and rows, for a JSON file."""
        return asdict(self)
