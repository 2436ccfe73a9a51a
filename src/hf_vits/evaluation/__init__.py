"""Measure speech: how well it is understood, whom it sounds like and how natural it is; metrics are a registry."""

from typing import TYPE_CHECKING

from hf_vits.utils.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from hf_vits.evaluation.base import METRICS, EvaluationOptions, Metric, SentenceScore, Utterance
    from hf_vits.evaluation.evaluator import SpeechEvaluator
    from hf_vits.evaluation.recognizers.base import RECOGNIZERS, Recognizer
    from hf_vits.evaluation.report import Estimate, SpeechReport
    from hf_vits.evaluation.settings import EvaluationSettings
    from hf_vits.evaluation.speaker_encoders.base import SPEAKER_ENCODERS, SpeakerEncoder
    from hf_vits.evaluation.voice import evaluate_voice

__all__ = [
    "METRICS",
    "RECOGNIZERS",
    "SPEAKER_ENCODERS",
    "Estimate",
    "EvaluationOptions",
    "EvaluationSettings",
    "Metric",
    "Recognizer",
    "SentenceScore",
    "SpeakerEncoder",
    "SpeechEvaluator",
    "SpeechReport",
    "Utterance",
    "evaluate_voice",
]
__getattr__ = lazy_attributes(
    __name__,
    {
        "METRICS": "base",
        "RECOGNIZERS": "recognizers.base",
        "SPEAKER_ENCODERS": "speaker_encoders.base",
        "Estimate": "report",
        "EvaluationOptions": "base",
        "EvaluationSettings": "settings",
        "Metric": "base",
        "Recognizer": "recognizers.base",
        "SentenceScore": "base",
        "SpeakerEncoder": "speaker_encoders.base",
        "SpeechEvaluator": "evaluator",
        "SpeechReport": "report",
        "Utterance": "base",
        "evaluate_voice": "voice",
    },
)
