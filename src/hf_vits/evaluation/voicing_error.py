"""Voicing error: how often speech is voiced where a recording of the same sentence is not, or the other way round."""

import numpy as np

from hf_vits.evaluation.base import METRICS, SentenceScore, Utterance
from hf_vits.evaluation.recording_comparison import RecordingComparison


@METRICS.register("voicing_error")
class VoicingError(RecordingComparison):
    """Aligned frames of which one is voiced and the other is not, as a fraction of all."""

    title = "voicing error"
    percent = True
    method = "pYIN, 60 to 500 Hz, after dynamic time warping of mel-cepstra"

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the number of frames that differ, and of all."""
        speech, recording = map(np.isnan, utterance.aligned.f0)
        return SentenceScore(int((speech != recording).sum()), len(speech))
