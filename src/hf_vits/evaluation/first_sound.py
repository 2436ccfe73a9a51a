"""Time to first sound: how soon a stream of speech begins."""

from hf_vits.evaluation.base import METRICS, Instruments, Metric, SentenceScore, Utterance
from hf_vits.utils.threads import processor


@METRICS.register("first_sound")
class FirstSound(Metric):
    """Milliseconds from a text to the first chunk of [`TextToSpeechPipeline.stream`], on this machine."""

    title = "time to first sound (ms)"
    greater_is_better = False
    is_time = True
    needs_synthesis = True

    def __init__(self, instruments: Instruments):
        self.instrument = processor()

    def score(self, utterance: Utterance) -> SentenceScore:
        """Speak the text of an utterance again, and return the time; one without samples does not count."""
        if not utterance.waveform.size:
            return SentenceScore(0.0, 0.0)
        return SentenceScore(1000 * utterance.synthesis.seconds_to_first_sound())
