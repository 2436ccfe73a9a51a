"""Fields of a request are checked, and names of OpenAI's stand for voices of the server."""

from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from pydantic import ValidationError

from hf_vits.serving.bodies import SpeechBody, unused_header
from hf_vits.serving.errors import ApiError
from hf_vits.serving.settings import ServerSettings
from hf_vits.serving.voice_pool import UnknownVoiceError


def body(**fields):
    return SpeechBody(**{"model": "tts-1", "input": "Hello.", "voice": "joe", **fields})


def find(name):
    if name.partition(":")[0] not in ("joe", "amy", "nova"):
        raise UnknownVoiceError(name)


POOL = SimpleNamespace(names=["joe", "amy"], aliases={"nova": "amy"}, find=find)


@pytest.mark.parametrize(
    ("model", "voice", "spoken"),
    [
        ("tts-1", "amy", "amy"),
        ("tts-1", {"id": "amy"}, "amy"),
        ("tts-1", "amy:2", "amy:2"),
        ("tts-1", "nova", "nova"),  # an alias, which the pool knows
        ("tts-1", "alloy", "joe"),  # the first voice
        ("amy", "alloy", "amy"),
        ("amy", "joe", "joe"),
    ],
)
def test_a_voice_is_named_by_its_field_or_by_the_model(model, voice, spoken):
    assert body(model=model, voice=voice).request(POOL, seed=1).voice == spoken


def test_an_unknown_model_or_voice_is_an_error():
    with pytest.raises(ApiError, match="There is no model 'gpt-9'. Give one of joe, amy, nova, tts-1") as caught:
        body(model="gpt-9").request(POOL, seed=1)
    assert caught.value.status == 404
    with pytest.raises(UnknownVoiceError):
        body(voice="carl").request(POOL, seed=1)


def test_a_request_has_the_fields_of_the_body_and_the_usual_ones():
    request = body(speed=1.5, pause=2.0, volume=-3.0, pitch=1.0, speaker=4, strict=True).request(POOL, seed=9)
    assert (request.text, request.speed, request.pause, request.seed) == ("Hello.", 1.5, 2.0, 9)
    assert (request.volume, request.pitch, request.speaker, request.strict) == (-3.0, 1.0, 4, True)
    usual = body().request(POOL, seed=9)
    assert (usual.speed, usual.pause, usual.strict, usual.volume, usual.timestamps) == (1.0, 0.0, False, None, None)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("speed", (0.2, 4.1, "1")),
        ("pause", (-0.1, 60.5)),
        ("pitch", (-25, 25)),
        ("volume", (-101, 25)),
        ("input", ("", None)),
        ("stream_format", ("mp3",)),
        ("timestamps", ("hour", [])),
        ("seed", (2**64, 1.5)),
        ("voice", ("", {"id": ""})),
    ],
)
def test_values_out_of_range_or_of_another_type_are_refused(name, values):
    for value in values:
        with pytest.raises(ValidationError):
            body(**{name: value})


def test_texts_and_formats_are_checked_against_the_server():
    settings = ServerSettings(max_characters=6)
    body(response_format="wav").check(settings)
    with pytest.raises(ApiError, match="`input` has 7 characters, and the most is 6"):
        body(input="Hello!!", response_format="wav").check(settings)
    with pytest.raises(ApiError, match="`response_format` is 'midi'; give one of .*wav"):
        body(response_format="midi").check(settings)


def test_fields_without_effect_are_named_if_their_names_can_be_in_a_header():
    given = body(**{"instructions": "Whisper.", "mood": 1, "a b": 2, "größe": 3, "accent": 4})
    assert given.unused == ["instructions", "accent", "mood"]
    assert unused_header(given.unused) == {"X-Unused-Fields": "instructions, accent, mood"}
    assert unused_header(body().unused) == {} and body(instructions="").unused == []
