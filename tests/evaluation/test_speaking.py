"""What a synthesis knows of itself: the same speech as the pipeline, its time, and other readings."""

import numpy as np
import pytest
import torch

from hf_vits import TextToSpeechPipeline
from hf_vits.evaluation import SpeechEvaluator
from hf_vits.evaluation.speaking import READINGS, Sentence, speak
from hf_vits.modules.sampling import seed_of


@pytest.fixture
def make_pipe(make_model, make_tokenizer):
    return lambda **fields: TextToSpeechPipeline(make_model(**fields), make_tokenizer())


def test_a_reading_has_the_durations_of_the_call_with_its_noise(make_pipe):
    pipe = make_pipe()
    utterance = speak(pipe, Sentence("feed me a cabbage"), 5, 2)
    seconds = utterance.synthesis.readings()
    for number in range(READINGS):
        source = torch.Generator().manual_seed(seed_of(5, 2, number))
        spoken = pipe("feed me a cabbage", generator=source)["audio"]
        assert seconds[number].sum() == pytest.approx(len(spoken) / pipe.sampling_rate)
    assert len({*seconds.sum(axis=1)}) > 1 and utterance.synthesis.readings() is seconds


def test_diversity_of_rhythm_is_the_deviation_of_durations_of_their_mean(make_pipe, script):
    utterance = speak(make_pipe(), Sentence("feed me"), 0, 0)
    utterance.synthesis.readings = lambda: np.array([[1.0, 4.0], [3.0, 4.0]])  # means 2 and 4, deviations 1 and 0
    assert SpeechEvaluator(["rhythm"]).row(utterance)["rhythm"] == [1.0, 6.0]


def test_a_voice_that_reads_the_same_way_every_time_has_no_diversity(make_pipe):
    utterance = speak(make_pipe(use_stochastic_duration_prediction=False), Sentence("feed me"), 0, 0)
    assert SpeechEvaluator(["rhythm"]).measure([utterance]).estimates["rhythm"].value == pytest.approx(0, abs=1e-12)


def test_times_are_those_of_the_clock(make_pipe, monkeypatch):
    clock = iter([10.0, 10.5, 20.0, 20.25])
    monkeypatch.setattr("hf_vits.evaluation.speaking.time.perf_counter", lambda: next(clock))
    utterance = speak(make_pipe(), Sentence("feed me"), 0, 0)
    row = SpeechEvaluator(["rtf", "first_sound"]).row(utterance)
    assert row["rtf"] == [0.5, len(utterance.waveform) / utterance.sampling_rate]
    assert row["first_sound"] == [250.0, 1.0]


def test_the_first_sound_is_the_first_chunk_of_a_stream_and_no_more(make_pipe, monkeypatch):
    pipe, taken = make_pipe(), []
    stream = pipe.stream

    def counted(*args, **kwargs):
        for chunk in stream(*args, **kwargs):
            taken.append(chunk)
            yield chunk

    monkeypatch.setattr(pipe, "stream", counted)
    speak(pipe, Sentence("feed me. a hope."), 0, 0).synthesis.seconds_to_first_sound()
    assert len(taken) == 1


def test_speech_that_could_not_be_made_has_no_times_and_no_readings(make_pipe, monkeypatch):
    pipe = make_pipe()
    monkeypatch.setattr(pipe.model, "_latents", lambda *args: (_ for _ in ()).throw(ValueError("not finite")))
    utterance = speak(pipe, Sentence("feed me"), 0, 0)
    assert SpeechEvaluator(["rtf", "first_sound", "rhythm"]).measure([utterance]).estimates == {}
