"""How natural speech sounds: DistilMOS, a small network that was taught to rate as people do, 1 to 5.

Needs distillmos==0.9.1 and xls-r-sqa==0.1.0, both installed with `--no-deps`: what they ask for besides is not used.
"""

import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np

PACKAGES = {"distillmos": "distillmos", "xls_r_sqa": "xls-r-sqa"}
"""What is imported, and what pip calls it."""

RATE = 16_000
"""Samples per second that it hears."""


def rater(threads: int) -> Callable[[np.ndarray, int], float]:
    """-> a function from samples within ±1 and their rate to a rating."""
    import librosa
    import torch

    _stand_in("torchaudio"), _stand_in("torchaudio.transforms")
    sys.modules["torchaudio.transforms"].MFCC = None
    import distillmos

    torch.set_num_threads(threads)
    model = distillmos.ConvTransformerSQAModel().eval()

    def rate(samples: np.ndarray, rate: int) -> float:
        heard = librosa.resample(samples.astype(np.float32), orig_sr=rate, target_sr=RATE)
        with torch.no_grad():
            return model(torch.from_numpy(heard)[None]).item()

    return rate


def _stand_in(name: str):
    """An empty module for one that is imported and not used."""
    sys.modules.setdefault(name, ModuleType(name))
