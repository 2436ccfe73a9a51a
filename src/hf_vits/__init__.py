"""hf_vits: VITS voices, from text to waveform, in the manner of Hugging Face Transformers.

Axis letters used throughout: B batch · C channels · H hidden · S speaker channels · F frequency bins · M mels ·
T_text tokens · T_spec frames · T_wav samples. Time is the last axis everywhere except inside attention and layer norm.
"""

import importlib
from typing import TYPE_CHECKING

from hf_vits.auto import register

__version__ = "0.1.0"

if TYPE_CHECKING:
    from hf_vits.configuration_vits import VitsConfig
    from hf_vits.conversion import convert
    from hf_vits.modeling_vits import VitsModel, VitsModelOutput
    from hf_vits.pipeline import TextToSpeechPipeline
    from hf_vits.tokenization_vits import VitsTokenizer
    from hf_vits.voices import default_voice

_HOMES = {
    "VitsConfig": "configuration_vits",
    "VitsModel": "modeling_vits",
    "VitsModelOutput": "modeling_vits",
    "VitsTokenizer": "tokenization_vits",
    "TextToSpeechPipeline": "pipeline",
    "convert": "conversion",
    "default_voice": "voices",
}
__all__ = [
    "TextToSpeechPipeline",
    "VitsConfig",
    "VitsModel",
    "VitsModelOutput",
    "VitsTokenizer",
    "convert",
    "default_voice",
]


def __getattr__(name: str):
    """Imports what is asked for, and only that."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"hf_vits.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


register()
