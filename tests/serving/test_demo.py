from types import SimpleNamespace

import numpy as np
import pytest

from hf_vits.serving import SpeechRequest, VoicePool
from hf_vits.serving import demo as module

TEXT = "A bed is made. Deaf jam, a nap and a kid."
CONTROLS = {"speaker": "0", "language": "0", "speed": 1.0, "pitch": 0.0, "noise_scale": 0.5}


class FakeGradio(SimpleNamespace):
    """What the function of the demo uses of Gradio."""

    class Error(Exception):
        def __init__(self, message, print_exception=True):
            super().__init__(message)

    Audio = staticmethod(lambda value, **fields: SimpleNamespace(value=value, **fields))
    skip = staticmethod(lambda: "skipped")


@pytest.fixture
def pool(pipe):
    return VoicePool({module.NAME: pipe})


def outputs(pool, is_streaming=True, text=TEXT, seed="7", **controls):
    given = {"text": text, **CONTROLS, "seed": seed, **controls}
    function = module._function(FakeGradio, pool, list(given), is_streaming)
    return list(function(*given.values()))


def test_segments_are_those_of_the_pool_in_sixteen_bits_and_equal_the_whole(pool, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT", 0.01)
    *live, (nothing, speech) = outputs(pool)
    request = SpeechRequest(TEXT, module.NAME, noise_scale=0.5, seed=7, timestamps="word")
    chunks = list(pool.speak(request))
    expected = np.concatenate([chunk["audio"] for chunk in chunks])
    rate, whole = speech.value
    assert nothing is None and len(live) > 1 and rate == chunks[0]["sampling_rate"]
    assert whole.dtype == np.int16 and np.abs(whole / 32767 - expected).max() <= 0.5 / 32767 + 1e-6
    assert np.array_equal(np.concatenate([samples for (_, samples), _ in live]), whole)
    words = [word for chunk in chunks for word in chunk["timestamps"]]
    assert speech.subtitles == [{"text": w["text"], "timestamp": [w["start"], w["end"]]} for w in words]


def test_pitch_is_that_of_the_pool(pool, voiced):
    *_, (_, plain) = outputs(pool)
    *_, (_, speech) = outputs(pool, pitch=4.0)
    request = SpeechRequest(TEXT, module.NAME, noise_scale=0.5, seed=7, pitch=4.0)
    expected = np.concatenate([chunk["audio"] for chunk in pool.speak(request)]).clip(-1, 1)
    assert np.abs(speech.value[1] / 32767 - expected).max() <= 0.5 / 32767 + 1e-6
    assert not np.array_equal(plain.value[1], speech.value[1])


def test_loud_samples_are_clipped_and_do_not_wrap_around():
    chunk = {"audio": np.array([2.0, -2.0], np.float32), "sampling_rate": 8000, "timestamps": []}
    ((_, samples, _),) = module._segments(iter([chunk]))
    assert samples.tolist() == [32767, -32767]


def test_without_ffmpeg_there_is_the_whole_speech_alone(pool):
    ((nothing, speech),) = outputs(pool, is_streaming=False)
    assert nothing is None and len(speech.value[1]) > 0


def test_a_speech_without_a_seed_names_one_that_repeats_it(pool):
    *_, (_, speech) = outputs(pool, seed=" ")
    seed = speech.label.split()[-1]
    *_, (_, again) = outputs(pool, seed=seed)
    assert np.array_equal(speech.value[1], again.value[1])


@pytest.mark.parametrize(
    "given, reason",
    [
        ({"text": " "}, "Write something"),
        ({"text": "a" * 4097}, "4,097 characters; 4,096"),
        ({"seed": "one"}, "whole number"),
        ({"noise_scale": -1.0}, "noise_scale"),
        ({"text": "日本"}, "vocabulary"),
    ],
)
def test_a_mistake_is_shown_with_its_reason(pool, given, reason):
    with pytest.raises(FakeGradio.Error, match=reason):
        outputs(pool, **given)
