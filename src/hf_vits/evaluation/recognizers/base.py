"""The base class of speech recognizers, waveform to text, and their registry."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hf_vits.utils.registry import Registry


class Recognizer:
    """
    Waveforms to texts, the same text every time.

    Args:
        model (`str`, *optional*):
            Folder of a model, or its name on the Hub; by default a small one of the language.
        language (`str`, *optional*):
            Code of the language that is spoken; without one the recognizer guesses.
        device (`str`):
            Device of models of PyTorch.

    Raises:
        OSError: if the model cannot be loaded.
        ValueError: for a language that the model does not know.
    """

    packages: ClassVar[Mapping[str, str]] = {}
    """Optional packages that it imports: arguments of pip, by the name of the module."""

    name: str
    """Name with the model, for model cards."""

    def __init__(self, model: str | None, language: str | None, device: str):
        raise NotImplementedError

    def __call__(self, waveform: np.ndarray, sampling_rate: int) -> str:
        """waveform (T_wav,) -> the text that is understood."""
        raise NotImplementedError


RECOGNIZERS: Registry[type[Recognizer]] = Registry(
    "speech recognizer",
    {
        "faster-whisper": "hf_vits.evaluation.recognizers.faster_whisper",
        "transformers": "hf_vits.evaluation.recognizers.transformers_pipeline",
    },
)
"""Classes of speech recognizers by name; without a choice the first one that is installed is used."""
