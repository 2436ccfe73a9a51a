"""The arguments of a call are validated once, whichever public method it begins with."""

import inspect
import sys
from collections import Counter

import pytest
import torch

from hf_vits import TextToSpeechPipeline
from hf_vits.inference import arguments

IDS = torch.arange(1, 13)[None]
FUNCTIONS = {name for name, member in inspect.getmembers(arguments, inspect.isfunction)}
CHECKS = FUNCTIONS - {"plain", "check_finite", "entry_point"}


def checks_during(call):
    """Count the validations in a call, by function and by the argument that it validates."""
    counts = Counter()

    def count(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename == arguments.__file__ and code.co_name in CHECKS:
            argument = frame.f_locals.get("name", frame.f_locals.get("kind", ""))
            counts[f"{code.co_name} {argument}".strip()] += 1

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return counts


@pytest.fixture
def model(make_model, speakers):
    return make_model(**speakers)


@pytest.fixture
def calls(model, make_tokenizer):
    """One call of each public method that takes arguments of synthesis."""
    pipe = TextToSpeechPipeline(model, make_tokenizer())
    speaker, durations = model.speaker_vector(1, 1).detach(), torch.full((1, 12), 2)
    latents = model.latents(IDS, speaker=speaker, durations=durations).latents.detach()
    return {
        "forward": lambda: model(IDS, speaker_id=1, durations=durations),
        "prior": lambda: model.prior(IDS, speaker=speaker),
        "latents": lambda: model.latents(IDS, speaker=speaker),
        "decode": lambda: model.decode(latents, speaker=speaker),
        "stream": lambda: list(model.stream(latents, speaker, chunk_frames=2)),
        "pipeline": lambda: pipe("a hope", speaker_id="bea"),
        "pipeline stream": lambda: list(pipe.stream("a hope", speaker_id="bea", chunk_frames=2)),
    }


@pytest.mark.parametrize("name", ["forward", "prior", "latents", "decode", "stream", "pipeline", "pipeline stream"])
def test_a_call_validates_each_argument_once(calls, name):
    counts = checks_during(calls[name])
    assert counts and set(counts.values()) == {1}, counts


def test_a_call_of_the_model_validates_every_argument(calls):
    expected = {"token_ids", "text_mask", "chosen_ids speaker", "chosen_ids language", "given_durations"}
    expected |= {"check_generator", "check_frame_lengths"}
    expected |= {f"scale {name}" for name in ("noise_scale", "noise_scale_duration", "speaking_rate")}
    assert expected <= set(checks_during(calls["forward"]))
