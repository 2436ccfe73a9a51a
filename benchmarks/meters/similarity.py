"""How alike two voices sound: cosines of resemblyzer's speaker embeddings.

Needs resemblyzer==0.1.4, which imports what setuptools had before 81.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np

PACKAGES = {"resemblyzer": "resemblyzer", "pkg_resources": "setuptools<81"}
"""What is imported, and what pip calls it."""

WINDOW_SECONDS = 1.6
"""What the encoder hears at once; shorter speech is padded with silence and embedded poorly."""

Embed = Callable[[np.ndarray, int], np.ndarray]
"""samples within ±1, rate -> embedding (256,) of length 1."""


def embedder() -> Embed:
    """The encoder on the CPU. What has no speech in it is embedded as zeros, which are like nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports what SciPy and setuptools mean to drop
        from resemblyzer import VoiceEncoder, preprocess_wav
    encoder = VoiceEncoder("cpu", verbose=False)

    def embed(samples: np.ndarray, rate: int) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # loudness of silence
            voiced = preprocess_wav(samples, rate)
        return encoder.embed_utterance(voiced) if len(voiced) else np.zeros(256, np.float32)

    return embed


def speaker_of(embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """Embeddings of one speaker's utterances -> their mean direction (256,)."""
    mean = np.mean(embeddings, axis=0)
    return mean / max(np.linalg.norm(mean), 1e-9)
