"""Diversity of rhythm: how much the durations of tokens differ between readings of one text."""

from hf_vits.evaluation.base import METRICS, Instruments, Metric, SentenceScore, Utterance


@METRICS.register("rhythm")
class RhythmDiversity(Metric):
    """
    Standard deviation of tokens' durations between readings with different noise, as a fraction of their mean.

    It is 0 for a voice with the deterministic duration predictor, which reads a text the same way every time. More is
    livelier and not better: a voice that stumbles has a high value too.
    """

    title = "diversity of rhythm"
    greater_is_better = None
    percent = True
    needs_synthesis = True

    def __init__(self, instruments: Instruments):
        self.instrument = "the voice's duration predictor"

    def score(self, utterance: Utterance) -> SentenceScore:
        """Return the sums over tokens of the standard deviation and of the mean."""
        seconds = utterance.synthesis.readings()
        return SentenceScore(float(seconds.std(axis=0).sum()), float(seconds.mean(axis=0).sum()))
