"""Naturalness: DistillMOS, a small network that predicts how people rate speech, 1 to 5."""

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from types import ModuleType

import torch

from hf_vits.evaluation.base import METRICS, EvaluationOptions, Instruments, Metric, SentenceScore, Utterance
from hf_vits.evaluation.requirements import is_installed, version_of
from hf_vits.evaluation.speech_frames import RATE, resampled

PIP = "--no-deps distillmos xls-r-sqa"
"""Arguments of pip; dependencies of these packages, such as torchaudio, are not used here."""

LOWEST = 1.0
"""Lowest rating."""


@METRICS.register("naturalness")
class Naturalness(Metric):
    """Predict a rating of listeners."""

    title = "naturalness (DistillMOS, 1 to 5)"
    card_type = "mos"

    def __init__(self, instruments: Instruments):
        self.device = instruments.options.device
        with _without_torchaudio(), redirect_stdout(io.StringIO()):  # it prints where its weights are
            import distillmos

            self.model = distillmos.ConvTransformerSQAModel().eval().to(self.device)
        self.instrument = version_of("distillmos")

    @classmethod
    def packages(cls, options: EvaluationOptions) -> Mapping[str, str]:
        """Return the packages of the network and of its first layers."""
        return {"distillmos": PIP, "xls_r_sqa": PIP}

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the predicted rating."""
        if not utterance.waveform.size:
            return SentenceScore(LOWEST)
        waveform = torch.from_numpy(resampled(utterance.waveform, utterance.sampling_rate))
        waveform = torch.nn.functional.pad(waveform, (0, max(0, RATE - len(waveform))))  # it takes a second
        with torch.inference_mode():
            return SentenceScore(float(self.model(waveform[None].to(self.device))))


@contextmanager
def _without_torchaudio() -> Iterator[None]:
    """Let modules import torchaudio that do not use it, where it is not installed."""
    names = [] if is_installed("torchaudio") else ["torchaudio", "torchaudio.transforms"]
    for name in names:
        sys.modules[name] = ModuleType(name)
        sys.modules[name].MFCC = None
    try:
        yield
    finally:
        for name in names:  # a module that is found here but has no file would mislead transformers
            sys.modules.pop(name, None)
