"""Metrics that compare speech with a recording of the same sentence: its spectrum, intonation, voicing and length."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hf_vits.evaluation.base import METRICS, EvaluationOptions, Instruments, Metric, SentenceScore, Utterance
from hf_vits.evaluation.requirements import EXTRA, version_of
from hf_vits.evaluation.speech_frames import F0_RANGE, SILENCE

WORST = 1200 * float(np.log2(F0_RANGE[1] / F0_RANGE[0]))
"""Greatest error of F0, in cents."""


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


@METRICS.register("mcd")
class MelCepstralDistance(RecordingComparison):
    """
    Average the distance of mel-cepstra over pairs of frames aligned by dynamic time warping (Kubichek 1993).

    Loudness, speaking rate, and silence at the beginning and end do not count. Speech of another rate is resampled to
    16 kHz first, so that figures of voices of different rates can be compared.
    """

    title = "mel-cepstral distance (dB)"

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the mean distance; of speech that could not be made, that of silence."""
        return SentenceScore(float(utterance.aligned.cepstral_distances.mean()))


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


@METRICS.register("duration_ratio")
class DurationRatio(RecordingComparison):
    """Seconds of speech per second of recording, both without the silence at beginning and end."""

    title = "duration relative to recordings"
    target = 1.0
    method = f"without silence {SILENCE:g} dB below the loudest frame at beginning and end"

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the two lengths in seconds."""
        return SentenceScore(utterance.frames.seconds, utterance.recording.frames.seconds)
