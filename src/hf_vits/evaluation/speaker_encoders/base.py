"""The base class of speaker encoders, waveform to an embedding of its speaker, and their registry."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hf_vits.utils.registry import Registry


class SpeakerEncoder:
    """
    Waveforms to embeddings.

    Args:
        model (`str`, *optional*):
            Folder of a model, or its name on the Hub; by default the encoder's own.
        device (`str`):
            Device of models of PyTorch.

    Raises:
        OSError: if the model cannot be loaded.
    """

    packages: ClassVar[Mapping[str, str]] = {}
    """Optional packages that it imports: arguments of pip, by the name of the module."""

    name: str
    """Name with the model, for model cards."""

    def __init__(self, model: str | None, device: str):
        raise NotImplementedError

    def __call__(self, waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
        """waveform (T_wav,) -> embedding (E,) of any length; zeros if there is no speech."""
        raise NotImplementedError


SPEAKER_ENCODERS: Registry[type[SpeakerEncoder]] = Registry(
    "speaker encoder",
    {
        "resemblyzer": "hf_vits.evaluation.speaker_encoders.resemblyzer",
        "transformers": "hf_vits.evaluation.speaker_encoders.transformers_xvector",
    },
)
"""Classes of speaker encoders by name; without a choice the first one that is installed is used."""
