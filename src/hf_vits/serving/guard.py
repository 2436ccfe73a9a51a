"""Refuse requests that are too large, too slow, not JSON, without the key or for another host, before they reach the
application."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any

from hf_vits.serving.errors import ApiError
from hf_vits.serving.settings import ServerSettings
from hf_vits.utils.formatting import quoted

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

PROTECTED = ("/v1/", "/metrics")
"""Beginnings of paths that need the key. `/health`, the description of the interface and pages do not."""


class Guard:
    """
    An ASGI application around another one, which receives requests whose body is complete.

    Args:
        application (`Callable`):
            The one that answers.
        settings ([`ServerSettings`]):
            Limits, and the key.
    """

    def __init__(self, application: Application, settings: ServerSettings):
        self.application, self.settings = application, settings
        self.key = None if settings.api_key is None else settings.api_key.encode("ascii")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        try:
            self._check_host(scope)
            self._check_key(scope)
            body = await self._body(scope, receive)
        except ApiError as error:
            response = error.response()
            response.headers["Connection"] = "close"  # what follows in the connection may be the rest of a body
            await response(scope, receive, send)
            return
        if body is not None:
            await self.application(scope, _replayed(body, receive), send)

    def _check_host(self, scope: Message) -> None:
        given = b",".join(_values(scope, b"host")).decode("latin-1").lower()
        if self.settings.hosts is None or not given:  # browsers always name one
            return
        name = host_name(given)
        if name not in ("localhost", *self.settings.hosts) and not _is_address(name):
            message = f"The server does not answer for the host {quoted(given)}; start it with --allow-host NAME."
            raise ApiError(421, message, "unknown_host")

    def _check_key(self, scope: Message) -> None:
        if self.key is None or not scope["path"].startswith(PROTECTED):
            return
        scheme, _, given = b" ".join(_values(scope, b"authorization")).partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self.key):
            message = "The API key is missing or wrong; give it as `Authorization: Bearer KEY`."
            raise ApiError(401, message, "invalid_api_key", headers={"WWW-Authenticate": "Bearer"})

    async def _body(self, scope: Message, receive: Receive) -> bytes | None:
        """Return the whole body; None if the client has gone."""
        self._check_headers(scope)
        body = bytearray()
        try:
            async with asyncio.timeout(self.settings.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    self._check_size(len(body))
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            message = f"The body did not arrive within {self.settings.body_seconds:g} s."
            raise ApiError(408, message, "body_too_slow") from None

    def _check_headers(self, scope: Message) -> None:
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size + len(scope.get("raw_path") or b"") > self.settings.max_header_bytes:
            message = f"The headers are larger than {self.settings.max_header_bytes:,} bytes."
            raise ApiError(431, message, "headers_too_large")
        if scope["http_version"] not in ("1.0", "1.1"):
            raise ApiError(400, f"HTTP {scope['http_version']} is not known here; use HTTP 1.1.", "unknown_version")
        length = _values(scope, b"content-length")
        if length and _values(scope, b"transfer-encoding"):  # between two servers, each could take another for true
            raise ApiError(400, "A request has `Content-Length` or `Transfer-Encoding`, not both.", "ambiguous_length")
        if length and length[0].isdigit():
            self._check_size(int(length[0][:20]))
        kinds = _values(scope, b"content-type")
        is_json = len(kinds) == 1 and kinds[0].split(b";")[0].strip().lower() == b"application/json"
        if scope["method"] in ("POST", "PUT", "PATCH") and not is_json:
            # Pages of other sites can send every other type without asking, and have no business here.
            raise ApiError(
                415, "The body must be JSON, with `Content-Type: application/json`.", "unsupported_media_type"
            )

    def _check_size(self, size: int) -> None:
        if size > self.settings.max_body_bytes:
            raise ApiError(413, f"The body is larger than {self.settings.max_body_bytes:,} bytes.", "body_too_large")


def host_name(host: str) -> str:
    """Return a `Host` header without its port, and an IPv6 address without its brackets."""
    name, mark, port = host.rpartition(":")
    name = name if mark and (port.isdecimal() or not port) else host
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name


def _is_address(name: str) -> bool:
    """Return True for an IP address, which no name server can let stand for another one."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _values(scope: Message, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key.lower() == name]


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a function that receives a body that was read, and then what the client sends after it: that it left."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
