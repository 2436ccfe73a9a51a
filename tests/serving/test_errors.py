"""Each exception has a status and a code, and only faults of the server are logged."""

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from pydantic import BaseModel, Field, ValidationError

from hf_vits.inference.limits import NotFiniteError
from hf_vits.serving.errors import LONGEST_MESSAGE, ApiError, api_error, validation_error
from hf_vits.serving.scheduling import QueueFullError, SchedulerClosedError
from hf_vits.serving.voice_pool import UnknownVoiceError, VoiceUnavailableError

REFUSED = ApiError(404, "There is no model.", "model_not_found", "model")


@pytest.mark.parametrize(
    ("error", "status", "code", "is_logged"),
    [
        (REFUSED, 404, "model_not_found", False),
        (QueueFullError(8, 7), 429, "queue_full", False),
        (SchedulerClosedError("closed"), 503, "shutting_down", False),
        (VoiceUnavailableError("joe"), 503, "voice_unavailable", True),
        (UnknownVoiceError("joe"), 400, "voice_not_found", False),
        (NotFiniteError("NaN"), 500, "internal_error", True),
        ("\ud800".encode, 400, "invalid_text", False),
        (ValueError("too long"), 400, "invalid_value", False),
        (KeyError("secret"), 500, "internal_error", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_exception_has_a_status_and_a_code(caplog, error, status, code, is_logged):
    if callable(error):
        with pytest.raises(UnicodeError) as caught:
            error()
        error = caught.value
    answer = api_error(error)
    assert (answer.status, answer.code) == (status, code)
    assert ("Retry-After" in answer.headers) == isinstance(error, QueueFullError | SchedulerClosedError)
    assert bool(caplog.records) == is_logged
    assert status != 500 or str(error) not in str(answer)


def test_the_type_follows_from_the_status_and_a_message_is_cut_and_printable():
    kinds = {401: "authentication_error", 404: "not_found_error", 400: "invalid_request_error", 503: "server_error"}
    for status, kind in kinds.items():
        assert ApiError(status, "no", "code").content()["error"]["type"] == kind
    content = ApiError(400, "\ud800" + "x" * 10_000, "code", "input").content()["error"]
    assert content["message"].startswith("\\ud800xx") and len(content["message"]) == LONGEST_MESSAGE
    assert content["param"] == "input"


class Body(BaseModel):
    speed: float = Field(ge=0.25)


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [({}, "missing", "`speed`: Field required."), ({"speed": 0.1}, "invalid_value", "`speed` is 0.1: Input should be")],
)
def test_a_wrong_field_is_named_with_what_was_given(given, code, message):
    with pytest.raises(ValidationError) as caught:
        Body(**given)
    answer = validation_error(caught.value)
    assert (answer.status, answer.code, answer.param) == (400, code, "speed") and str(answer).startswith(message)
