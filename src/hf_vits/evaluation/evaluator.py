"""SpeechEvaluator: load metrics by name, and measure utterances with them."""

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

from hf_vits.evaluation.base import METRICS, EvaluationOptions, Instruments, Metric, Utterance
from hf_vits.evaluation.report import SpeechReport
from hf_vits.evaluation.requirements import all_packages, require


def check_metrics(names: Sequence[str], options: EvaluationOptions) -> None:
    """
    Check that metrics can run, without loading what they measure with.

    Raises:
        ImportError: if packages are missing; names all of them, and how to install them.
        ValueError: for a metric, recognizer or speaker encoder that is not registered.
    """
    packages = all_packages([METRICS[name].packages(options) for name in names])
    require(packages, f"Measuring {', '.join(names)}")


class SpeechEvaluator:
    """
    Measure utterances by several metrics, which share a recognizer and a speaker encoder.

    Args:
        metrics (`Sequence[str]`):
            Names of registered metrics.
        options ([`EvaluationOptions`], *optional*):
            What they measure with.

    Raises:
        ImportError: if packages are missing; names all of them, and how to install them.
        OSError: if a model cannot be loaded.
        ValueError: for a metric, recognizer, speaker encoder or language that is unknown.

    Example:

    ```python
    >>> import numpy as np
    >>> from hf_vits.evaluation import EvaluationOptions, SpeechEvaluator, Utterance

    >>> evaluator = SpeechEvaluator(["wer"], EvaluationOptions("faster-whisper:base.en"))
    >>> report = evaluator.measure([Utterance("Hello there.", np.zeros(16000, np.float32), 16000)])
    >>> report.estimates["wer"].value
    1.0
    ```
    """

    def __init__(self, metrics: Sequence[str], options: EvaluationOptions | None = None):
        options = options or EvaluationOptions()
        check_metrics(metrics, options)
        instruments = Instruments(options)
        self.metrics: dict[str, Metric] = {name: METRICS[name](instruments) for name in dict.fromkeys(metrics)}

    @property
    def instruments(self) -> dict[str, str]:
        """The name of what each metric measures with."""
        return {name: metric.instrument for name, metric in self.metrics.items()}

    @property
    def needs_target(self) -> bool:
        """Return True if a metric compares with recordings of the speaker, which `prepare` takes."""
        return any(metric.needs_target for metric in self.metrics.values())

    @property
    def needs_recording(self) -> bool:
        """Return True if a metric compares with a recording of the same sentence."""
        return any(metric.needs_recording for metric in self.metrics.values())

    @property
    def is_timing(self) -> bool:
        """Return True if a metric measures times."""
        return any(metric.is_time for metric in self.metrics.values())

    def prepare(self, recordings: Iterable[Utterance]) -> None:
        """Give the metrics recordings of the speakers that utterances should sound like, if any compares with them."""
        if self.needs_target:
            recordings = list(recordings)
            for metric in self.metrics.values():
                metric.prepare(recordings)

    def without_target(self) -> "SpeechEvaluator":
        """Return an evaluator of the metrics that do not compare with recordings of the speaker, to measure those."""
        other = copy(self)
        other.metrics = {name: metric for name, metric in self.metrics.items() if not metric.needs_target}
        return other

    def row(self, utterance: Utterance) -> dict[str, Any]:
        """Return a row of a [`SpeechReport`]: what was said and understood, and `[value, weight]` of each metric that
        applies to the utterance."""
        applying = {name: metric for name, metric in self.metrics.items() if metric.applies_to(utterance)}
        scores = {name: metric.score(utterance) for name, metric in applying.items()}
        row: dict[str, Any] = {"text": utterance.text}
        if utterance.speaker is not None:
            row["speaker"] = utterance.speaker
        if utterance.transcript is not None:
            row["transcript"] = utterance.transcript
        return {**row, **{name: [score.value, score.weight] for name, score in scores.items()}}

    def measure(self, utterances: Iterable[Utterance]) -> SpeechReport:
        """Measure utterances, one after another."""
        return SpeechReport.of([self.row(utterance) for utterance in utterances], list(self.metrics))
