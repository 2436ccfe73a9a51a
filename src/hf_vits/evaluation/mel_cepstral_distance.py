"""Mel-cepstral distance: how far the spectrum of speech is from that of a recording of the same sentence."""

from hf_vits.evaluation.base import METRICS, SentenceScore, Utterance
from hf_vits.evaluation.recording_comparison import RecordingComparison


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
