"""Resemblyzer's encoder (GE2E), whose weights are in its package."""

import warnings

import numpy as np

from hf_vits.evaluation.requirements import version_of
from hf_vits.evaluation.speaker_encoders.base import SPEAKER_ENCODERS, SpeakerEncoder

PIP = '"resemblyzer>=0.1.4" "setuptools<81"'
"""Arguments of pip; it imports what setuptools had before 81, and building a part of it takes a C compiler."""

SIZE = 256
"""Numbers of an embedding."""


@SPEAKER_ENCODERS.register("resemblyzer")
class Resemblyzer(SpeakerEncoder):
    """Embeddings of windows of 1.6 s; shorter speech is padded, and embedded poorly."""

    packages = {"resemblyzer": PIP}

    def __init__(self, model: str | None, device: str):
        if model is not None:
            raise ValueError(f"`speaker_encoder` is 'resemblyzer:{model}'; it has one model: give resemblyzer.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports what SciPy and setuptools mean to drop
            from resemblyzer import VoiceEncoder
        self.encoder = VoiceEncoder(device, verbose=False)
        self.name = version_of("resemblyzer")

    def __call__(self, waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
        """waveform (T_wav,) -> embedding (256,) of its speech, without long pauses."""
        from resemblyzer import preprocess_wav

        with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # loudness of silence
            speech = preprocess_wav(np.clip(waveform, -1, 1), sampling_rate)
        return self.encoder.embed_utterance(speech) if len(speech) else np.zeros(SIZE, np.float32)
