"""Errors in the form of OpenAI's API: a status, and `{"error": {"message", "type", "param", "code"}}`."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from hf_vits.inference.limits import NotFiniteError
from hf_vits.serving.scheduling import QueueFullError, SchedulerClosedError
from hf_vits.serving.voice_pool import UnknownVoiceError, VoiceUnavailableError
from hf_vits.utils.formatting import quoted

logger = logging.getLogger(__name__)

TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
LONGEST_MESSAGE = 500


class ApiError(Exception):
    """
    An answer that is an error.

    Args:
        status (`int`):
            HTTP status.
        message (`str`):
            What was given, what is allowed, what to do.
        code (`str`):
            What programs look at.
        param (`str`, *optional*):
            Field of the request that is wrong.
        headers (`dict[str, str]`, *optional*):
            Further headers of the answer.
    """

    def __init__(
        self, status: int, message: str, code: str, param: str | None = None, headers: dict[str, str] | None = None
    ):
        super().__init__(message)
        self.status, self.code, self.param, self.headers = status, code, param, headers or {}

    def content(self) -> dict[str, Any]:
        """Return the body of the answer."""
        kind = TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        message = str(self).encode("utf-8", "backslashreplace").decode()[:LONGEST_MESSAGE]
        return {"error": {"message": message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """Return the answer."""
        return JSONResponse(self.content(), self.status, self.headers)


def api_error(error: Exception) -> ApiError:
    """Return the answer to an exception of pool, queue or pipeline, and log what is no fault of a client."""
    match error:
        case ApiError():
            return error
        case QueueFullError():
            return ApiError(429, str(error), "queue_full", headers={"Retry-After": str(error.retry_after)})
        case SchedulerClosedError():
            return ApiError(503, str(error), "shutting_down", headers={"Retry-After": "5"})
        case VoiceUnavailableError():
            logger.error("%s", error, exc_info=error.__cause__)
            return ApiError(503, f"{error} The log of the server has the reason.", "voice_unavailable")
        case UnknownVoiceError():
            return ApiError(400, str(error), "voice_not_found", "voice")
        case NotFiniteError():
            logger.error("%s", error)
        case UnicodeError():
            return ApiError(400, "The text holds characters that are no valid Unicode.", "invalid_text", "input")
        case ValueError():
            return ApiError(400, str(error), "invalid_value")
        case _:
            logger.error("A request failed.", exc_info=error)
    return ApiError(500, "The speech could not be made; the log of the server has the reason.", "internal_error")


def validation_error(error: RequestValidationError) -> ApiError:
    """Return the answer to a body that is no request; names the first field that is wrong."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part != "body"]
    if first["type"] == "json_invalid":
        return ApiError(400, f"The body is no JSON: {first.get('ctx', {}).get('error', 'it cannot be read')}.", "json")
    if not place:
        return ApiError(400, "The body must be a JSON object.", "invalid_body")
    given = "" if first["type"] == "missing" else f" is {quoted(first.get('input'))}"
    message = first["msg"].removeprefix("Value error, ")
    name = place[0][:60]
    return ApiError(400, f"`{name}`{given}: {message}.", "missing" if not given else "invalid_value", name)


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of an application OpenAI's form."""

    @app.exception_handler(RequestValidationError)
    async def refuse_body(request: Request, error: RequestValidationError):
        return validation_error(error).response()

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException):
        codes = {404: "not_found", 405: "method_not_allowed"}
        message = {404: f"There is no {request.method} {quoted(request.url.path)} here.", 405: "The method is wrong."}
        text = message.get(error.status_code, str(error.detail))
        code = codes.get(error.status_code, "invalid_request")
        return ApiError(error.status_code, text, code, headers=dict(error.headers or {})).response()

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception):
        return api_error(error).response()
