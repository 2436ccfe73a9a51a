"""Recognizer, encoder and metric whose results a test chooses."""

import fake_instruments
import numpy as np
import pytest

from hf_vits.evaluation import EvaluationOptions, Utterance


@pytest.fixture
def script():
    with fake_instruments.registered():
        yield fake_instruments


@pytest.fixture
def options():
    """Options that name the fakes; the language is one without a normalizer of its own."""
    return EvaluationOptions("script:model", "numbers", "xx")


@pytest.fixture
def utter(script):
    """An utterance, and the transcript that the recognizer gives of it."""

    def make(text, transcript=None, samples=None, speaker=None):
        number = len(script.ScriptedRecognizer.transcripts) + 1.0
        script.ScriptedRecognizer.transcripts[number] = transcript
        waveform = np.array([number, 0.0] if samples is None else samples, dtype=np.float32)
        return Utterance(text, waveform, 16000, speaker)

    return make
