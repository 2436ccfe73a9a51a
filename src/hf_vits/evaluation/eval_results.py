"""Figures of speech as the `model-index` of a model card, in the form of huggingface_hub."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult

from hf_vits.evaluation.base import METRICS
from hf_vits.evaluation.report import Estimate


def eval_result(name: str, estimate: Estimate, instrument: str, dataset: str, **more: Any) -> EvalResult:
    """
    Return a figure for the metadata of a model card; fractions that are shown as percentages are in percent.

    Args:
        name (`str`):
            Name of the metric.
        estimate ([`Estimate`]):
            Its figure.
        instrument (`str`):
            What it was measured with.
        dataset (`str`):
            The sentences: a data set of the Hub, or the name of a folder or file.
        **more:
            What else the result says of how it was measured.
    """
    metric = METRICS[name]
    unit = ", percent" if metric.percent else ""
    return EvalResult(
        task_type="text-to-speech",
        task_name="Text-to-Speech",
        dataset_type=dataset,
        dataset_name=dataset,
        metric_type=metric.card_type or name,
        metric_name=f"{metric.title}{unit}",
        metric_value=_in_units(name, estimate.value),
        metric_args={
            "interval_95": [_in_units(name, end) for end in (estimate.low, estimate.high)],
            "sentences": estimate.sentences,
            "measured_by": instrument,
            **more,
        },
    )


def results_of(report: Mapping[str, Any]) -> list[EvalResult]:
    """Return the figures of the voice in a report that [`evaluate_voice`] made."""
    estimates = {name: Estimate(**one) for name, one in report["voice"]["estimates"].items()}
    shared = {"dataset": report["data"], "seed": report["seed"]}
    return [eval_result(name, one, report["instruments"][name], **shared) for name, one in estimates.items()]


def _in_units(name: str, value: float) -> float:
    return round(100 * value if METRICS[name].percent else value, 4)
