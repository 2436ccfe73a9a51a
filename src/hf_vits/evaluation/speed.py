"""Metrics of the time that speaking takes on this machine."""

from hf_vits.evaluation.base import METRICS, Instruments, Metric, SentenceScore, Utterance
from hf_vits.utils.threads import processor


class SpeakingTime(Metric):
    """A time, which depends on the processor."""

    greater_is_better = False
    is_time = True
    needs_synthesis = True

    def __init__(self, instruments: Instruments):
        self.instrument = processor()


@METRICS.register("rtf")
class RealTimeFactor(SpeakingTime):
    """Seconds of computing per second of speech, of whole sentences, on this machine."""

    title = "real-time factor"

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the seconds that an utterance took, and its length in seconds."""
        return SentenceScore(utterance.synthesis.seconds, len(utterance.waveform) / utterance.sampling_rate)


@METRICS.register("first_sound")
class FirstSound(SpeakingTime):
    """Milliseconds from a text to the first chunk of [`TextToSpeechPipeline.stream`], on this machine."""

    title = "time to first sound (ms)"

    def score(self, utterance: Utterance) -> SentenceScore:
        """Speak the text of an utterance again, and return the time; one without samples does not count."""
        if not utterance.waveform.size:
            return SentenceScore(0.0, 0.0)
        return SentenceScore(1000 * utterance.synthesis.seconds_to_first_sound())
