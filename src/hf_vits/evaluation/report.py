"""Figures of a set of utterances, each with a confidence interval by bootstrap over the sentences."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hf_vits.evaluation.base import METRICS, Metric

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
    def of_difference(
        cls, scores: np.ndarray, others: np.ndarray, seed: int = 0, scale: Callable[[float], float] = float
    ) -> "Estimate":
        """
        Estimate how much greater the figure of one voice is than that of another one on the same sentences.

        Sentences are drawn for both at once, so that what makes a sentence hard does not widen the interval. Without
        zero in the interval the difference is significant.

        Args:
            scores, others (`np.ndarray` of shape `(N, 2)`):
                Value and weight of each sentence, as the two voices speak it.
            seed (`int`, *optional*, defaults to 0):
                Seed of the drawing.
            scale (`Callable`, *optional*):
                What is compared of a figure, such as its distance from the best one; by default the figure.
        """
        pairs = [np.concatenate([one[None], one[_drawn(len(scores), seed)]]) for one in (scores, others)]
        figures, other_figures = (np.array([scale(figure) for figure in _ratio(one)]) for one in pairs)
        difference = figures - other_figures
        return cls._of_samples(difference[:1], difference[1:], len(scores))

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
class Difference(Estimate):
    """
    A difference of two voices in one metric.

    Args:
        verdict (`str`):
            "better", "worse", or "not significant"; "greater" and "less" of a metric in which no value is better.
    """

    verdict: str = ""

    @classmethod
    def between(cls, metric: type[Metric], scores: np.ndarray, others: np.ndarray) -> "Difference":
        """Estimate a difference, and whether it is significant: by the values, or by their distances from a target."""
        difference = Estimate.of_difference(scores, others)
        compared = difference
        if metric.greater_is_better is None and metric.target is None:
            words = ("less", "greater")
        else:
            words, compared = ("better", "worse"), Estimate.of_difference(scores, others, scale=metric.badness)
        verdict = "not significant"
        if compared.low > 0 or compared.high < 0:
            verdict = words[compared.low > 0]
        return cls(**asdict(difference), verdict=verdict)


@dataclass(frozen=True)
class SpeechReport:
    """
    The scores of a set of utterances.

    Args:
        estimates (`dict[str, Estimate]`):
            The figure of each metric by name.
        rows (`list[dict]`):
            For each utterance its text, speaker, transcript if there is one, and `[value, weight]` of each metric that
            applies to it.
    """

    estimates: dict[str, Estimate]
    rows: list[dict[str, Any]]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], metrics: Sequence[str]) -> "SpeechReport":
        """Summarize the rows of all utterances: a metric's figure is that of the rows that have it; without any weight,
        as of texts without a word, it has none."""
        rows = [dict(row) for row in rows]
        scores = {name: scores_of([row for row in rows if name in row], name) for name in metrics}
        return cls({name: Estimate.of(*of.T) for name, of in scores.items() if of[:, 1].sum() > 0 or not rows}, rows)

    def difference(self, other: "SpeechReport") -> dict[str, Difference]:
        """Return by how much figures are greater than those of another voice, which spoke the same sentences."""
        found = {}
        for name in self.estimates:
            pairs = [pair for pair in zip(self.rows, other.rows, strict=True) if all(name in row for row in pair)]
            if pairs:
                scores = (scores_of(rows, name) for rows in zip(*pairs, strict=True))
                found[name] = Difference.between(METRICS[name], *scores)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return figures and rows, for a JSON file."""
        return asdict(self)


def scores_of(rows: Sequence[Mapping[str, Any]], metric: str) -> np.ndarray:
    """Return the value and weight of each row, (N, 2)."""
    return np.array([row[metric] for row in rows], dtype=np.float64).reshape(-1, 2)
