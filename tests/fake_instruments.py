"""A recognizer, a speaker encoder and a metric that other packages could register, with results that tests choose."""

from contextlib import contextmanager

import numpy as np

from hf_vits.evaluation.base import METRICS, Metric, SentenceScore
from hf_vits.evaluation.recognizers.base import RECOGNIZERS, Recognizer
from hf_vits.evaluation.speaker_encoders.base import SPEAKER_ENCODERS, SpeakerEncoder


class ScriptedRecognizer(Recognizer):
    """Understands the utterances of `transcripts` by their first sample, and records what it is given."""

    transcripts = {}
    waveforms = []

    def __init__(self, model, language, device):
        self.name, self.language = f"script {model}", language

    def __call__(self, waveform, sampling_rate):
        self.waveforms.append(waveform)
        return self.transcripts.get(float(waveform[0]), "")


class TwoNumbers(SpeakerEncoder):
    """The first two samples are the embedding."""

    def __init__(self, model, device):
        self.name = "two numbers"

    def __call__(self, waveform, sampling_rate):
        return np.asarray(waveform[:2], dtype=np.float64)


class ScriptedMetric(Metric):
    """The next of `values` for each utterance."""

    title, instrument = "script", "a list"
    values = iter(())

    def score(self, utterance):
        return SentenceScore(next(self.values))


@contextmanager
def registered():
    """Register all three; nothing of them stays."""
    entries = [(RECOGNIZERS, "script", ScriptedRecognizer), (SPEAKER_ENCODERS, "numbers", TwoNumbers)]
    entries += [(METRICS, "script", ScriptedMetric)]
    for registry, name, entry in entries:
        registry.register(name)(entry)
    ScriptedRecognizer.transcripts, ScriptedRecognizer.waveforms = {}, []
    try:
        yield
    finally:
        for registry, name, _ in entries:
            registry.unregister(name)
