"""Duration ratio: how long speech lasts, beside recordings of the same sentences."""

from hf_vits.evaluation.base import METRICS, SentenceScore, Utterance
from hf_vits.evaluation.recording_comparison import RecordingComparison
from hf_vits.evaluation.speech_frames import SILENCE


@METRICS.register("duration_ratio")
class DurationRatio(RecordingComparison):
    """Seconds of speech per second of recording, both without the silence at beginning and end."""

    title = "duration relative to recordings"
    target = 1.0
    method = f"without silence {SILENCE:g} dB below the loudest frame at beginning and end"

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the two lengths in seconds."""
        return SentenceScore(utterance.frames.seconds, utterance.recording.frames.seconds)
