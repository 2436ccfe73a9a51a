"""Measure speech: how well it is understood, whom it sounds like and how natural it is; metrics are a registry."""

from typing import TYPE_CHECKING

from hf_vits.utils.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from hf_vits.evaluation.base import METRICS, EvaluationOptions, Metric, SentenceScore, Utterance
    from hf_vits.evaluation.evaluator import SpeechEvaluator
    from hf_vits.evaluation.recognizers.base import RECOGNIZERS, Recognizer
    from hf_vits.evaluation.report import Estimate, SpeechReport
    from hf_vits.evaluation.speaker_encoders.base import SPEAKER_ENCODERS, SpeakerEncoder

__all__ = [
    "METRICS",
    "RECOGNIZERS",
    "SPEAKER_ENCODERS",
    "Estimate",
    "EvaluationOptions",
    "Metric",
    "Recognizer",
    "SentenceScore",
    "SpeakerEncoder",
    "SpeechEvaluator",
    "SpeechReport",
    "Utterance",
]
__getattr__ = lazy_attributes(
    __name__,
    {
        "METRICS": "base",
        "RECOGNIZERS": "recognizers.base",
        "SPEAKER_ENCODERS": "speaker_encoders.base",
        "Estimate": "report",
        "EvaluationOptions": "base",
        "Metric": "base",
        "Recognizer": "recognizers.base",
        "SentenceScore": "base",
        "SpeakerEncoder": "speaker_encoders.base",
        "SpeechEvaluator": "evaluator",
        "SpeechReport": "report",
        "Utterance": "base",
    },
)
