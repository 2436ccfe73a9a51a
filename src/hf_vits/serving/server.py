"""Run the application with uvicorn on a socket, with time limits for headers, until a signal ends it."""

import asyncio
import socket
from functools import partial
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from hf_vits.serving.settings import ServerSettings

MAX_CONNECTIONS = 1_000
"""Connections that are kept at once; further ones are answered with 503."""


class TimedProtocol(H11Protocol):
    """HTTP/1.1 whose clients have to send the headers of each request in time."""

    def __init__(self, *args: Any, header_seconds: float, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.header_seconds, self.deadline = header_seconds, None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the time for the first request."""
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Start the time for a further request with its first byte, and stop it when its headers are complete."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._expect_nothing()
        elif self.deadline is None:
            self._expect_headers()

    def connection_lost(self, error: Exception | None) -> None:
        """Stop the time."""
        self._expect_nothing()
        super().connection_lost(error)

    def _expect_headers(self) -> None:
        self.deadline = self.loop.call_later(self.header_seconds, self._expire)

    def _expect_nothing(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
        self.deadline = None

    def _expire(self) -> None:
        self.deadline = None
        if self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self.send_400_response(f"The headers did not arrive within {self.header_seconds:g} s.")


def listening_socket(host: str, port: int) -> socket.socket:
    """
    Return a socket that listens.

    Raises:
        OSError: if the address is no address of this machine, or taken; says what to do.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise OSError(
            f"The server cannot listen at {host}, port {port}: {str(error).rstrip('.')}. Give others."
        ) from error


def make_server(app: FastAPI, settings: ServerSettings, grace: float = 30.0, log_level: str = "warning"):
    """
    Return a `uvicorn.Server`: `run(sockets=[listener])` answers requests until SIGINT or SIGTERM.

    Args:
        app (`FastAPI`):
            The application.
        settings ([`ServerSettings`]):
            Limits.
        grace (`float`, *optional*, defaults to 30.0):
            Seconds for answers to finish after the signal; then they are ended, as after a second signal.
        log_level (`str`, *optional*, defaults to `"warning"`):
            Of uvicorn; `"info"` logs every request, without its text.
    """
    config = uvicorn.Config(
        app,
        http=partial(TimedProtocol, header_seconds=settings.header_seconds),
        h11_max_incomplete_event_size=settings.max_header_bytes,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=max(1, round(grace)),
        log_level=log_level,
        ws="none",
        server_header=False,
    )
    return uvicorn.Server(config)
