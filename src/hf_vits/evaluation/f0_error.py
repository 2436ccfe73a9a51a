"""F0 error: how far the intonation of speech is from that of a recording of the same sentence."""

import numpy as np

from hf_vits.evaluation.base import METRICS, SentenceScore, Utterance
from hf_vits.evaluation.recording_comparison import RecordingComparison
from hf_vits.evaluation.speech_frames import F0_RANGE

WORST = 1200 * float(np.log2(F0_RANGE[1] / F0_RANGE[0]))
"""Greatest error in cents."""


@METRICS.register("f0_rmse")
class F0Error(RecordingComparison):
    """Root mean square of the difference of F0, over aligned frames that are voiced in both."""

    title = "F0 error (RMSE, cents)"
    method = "pYIN, 60 to 500 Hz, after dynamic time warping of mel-cepstra"

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the error of a sentence; the greatest possible one if no frame is voiced in both."""
        speech, recording = utterance.aligned.f0
        cents = 1200 * np.log2(speech / recording)
        cents = cents[np.isfinite(cents)]
        return SentenceScore(float(np.sqrt(np.square(cents).mean())) if cents.size else WORST)
