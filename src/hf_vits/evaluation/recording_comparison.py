"""What metrics share that compare with a recording of the same sentence."""

from collections.abc import Mapping
from typing import ClassVar

from hf_vits.evaluation.base import EvaluationOptions, Instruments, Metric
from hf_vits.evaluation.requirements import EXTRA, version_of


class RecordingComparison(Metric):
    """Compare with a recording of the same sentence, by librosa."""

    greater_is_better = False
    needs_recording = True
    method: ClassVar[str] = "dynamic time warping of 13 mel-cepstral coefficients"
    """How it compares, for model cards."""

    def __init__(self, instruments: Instruments):
        self.instrument = f"{self.method} ({version_of('librosa')})"

    @classmethod
    def packages(cls, options: EvaluationOptions) -> Mapping[str, str]:
        """Return librosa."""
        return {"librosa": EXTRA}
