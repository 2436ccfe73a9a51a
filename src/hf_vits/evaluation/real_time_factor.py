"""Real-time factor: the time that speaking takes, per second of speech."""

from hf_vits.evaluation.base import METRICS, Instruments, Metric, SentenceScore, Utterance
from hf_vits.utils.threads import processor


@METRICS.register("rtf")
class RealTimeFactor(Metric):
    """Seconds of computing per second of speech, of whole sentences, on this machine."""

    title = "real-time factor"
    greater_is_better = False
    is_time = True
    needs_synthesis = True

    def __init__(self, instruments: Instruments):
        self.instrument = processor()

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the seconds that an utterance took, and its length in seconds."""
        return SentenceScore(utterance.synthesis.seconds, len(utterance.waveform) / utterance.sampling_rate)
