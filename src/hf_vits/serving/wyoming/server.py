"""Listen for clients of the Wyoming protocol at an address, until a signal ends the server."""

import asyncio
import logging
import os
import signal
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import ParseResult, urlparse

from hf_vits.serving.scheduling import Scheduler
from hf_vits.serving.voice_pool import SpeechRequest, VoicePool
from hf_vits.text.errors import NoTokensError

logger = logging.getLogger(__name__)

MAX_CHARACTERS = 100_000
"""Longest text of a request by default: two hours of speech."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class WyomingServer:
    """
    Voices for Home Assistant and other clients of the Wyoming protocol.

    Args:
        pool ([`VoicePool`]):
            The voices. The first one is the default.
        scheduler ([`Scheduler`]):
            Its queue bounds how many texts are spoken at once.
        max_characters (`int`, *optional*, defaults to 100,000):
            Longest text of a request.
        **options:
            Fields of [`SpeechRequest`] for all requests: `speaker` (of the first voice), `speed`, `noise_scale`,
            `noise_scale_duration`, `pause`, `seed`.

    Raises:
        ImportError: if the package `wyoming` is missing.
        OSError, ValueError: for a voice whose configuration cannot be read, or a wrong option.
    """

    def __init__(self, pool: VoicePool, scheduler: Scheduler, max_characters: int = MAX_CHARACTERS, **options: Any):
        check_address("stdio://")
        if max_characters < 1:
            raise ValueError(f"`max_characters` is {max_characters}; it must be at least 1.")
        from hf_vits.serving.wyoming.handler import Service
        from hf_vits.serving.wyoming.information import describe

        request = SpeechRequest("", voice=pool.names[0], **options)
        self.service = Service(pool, scheduler, describe(pool), request, max_characters)
        self._ended: asyncio.Event | None = None

    def warm_up(self) -> None:
        """Load the first voice and speak a word, so that the first client need not wait for it; raise if that fails."""
        with suppress(NoTokensError):
            list(self.service.pool.speak(replace(self.service.request, text="a")))

    async def serve(self, uri: str, zeroconf: str | None = None, ready: Callable[[], None] = lambda: None) -> None:
        """
        Serve until SIGINT, SIGTERM or SIGHUP, or until `stop`; on `stdio://` until the end of the input.

        Args:
            uri (`str`):
                `"tcp://host:port"`, `"unix:///path"` or `"stdio://"`.
            zeroconf (`str`, *optional*):
                Name by which Home Assistant finds the server; needs TCP and the package `zeroconf`.
            ready (`Callable`, *optional*):
                Called when clients can connect.

        Raises:
            ValueError: for an address of another form; see [`check_address`].
            OSError: if the address is in use.
        """
        from wyoming.server import AsyncServer

        check_address(uri, zeroconf)
        self._ended = asyncio.Event()
        with _signals(self._ended.set):
            if urlparse(uri).scheme == "stdio":
                await self._serve_stdio(ready)
                return
            server = AsyncServer.from_uri(uri)
            await server.start(self._handler)
            try:
                if zeroconf is not None:
                    await _announce(zeroconf, uri)
                ready()
                await self._ended.wait()
            finally:
                await server.stop()

    def stop(self) -> None:
        """End `serve`; call it in its event loop."""
        if self._ended is not None:
            self._ended.set()

    def _handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        from hf_vits.serving.wyoming.handler import SpeechHandler

        return SpeechHandler(self.service, reader, writer)

    async def _serve_stdio(self, ready: Callable[[], None]) -> None:
        reader, writer = await _standard_streams()
        ready()
        client = asyncio.ensure_future(self._handler(reader, writer).run())
        ended = asyncio.ensure_future(self._ended.wait())
        await asyncio.wait([client, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in (client, ended):
            task.cancel()
        await asyncio.gather(client, ended, return_exceptions=True)
        with suppress(ConnectionError):
            await writer.wait_closed()


def check_address(uri: str, zeroconf: str | None = None) -> None:
    """
    Check what a server would listen at, before voices are loaded.

    Raises:
        ValueError: for an address of another form, a file that is no socket, or one that cannot be announced.
        ImportError: if a package is missing.
    """
    if find_spec("wyoming") is None:
        raise ImportError('The package wyoming is not installed. Run `pip install "hf_vits[wyoming]"`.')
    address, forms = urlparse(uri), "Give tcp://HOST:PORT, unix:///PATH or stdio://."
    if address.scheme == "tcp":
        if address.hostname and _port(address) and not address.path.strip("/"):
            return _check_zeroconf(zeroconf, address.hostname)
    elif zeroconf is not None:
        raise ValueError(f"{uri} cannot be announced to a network; only tcp:// can.")
    elif address.scheme == "unix" and address.path and not address.netloc:
        path = Path(address.path)
        if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
            raise ValueError(f"{path} exists and is no socket; it would be replaced. Give another path.")
        return None
    elif uri in ("stdio://", "stdio:"):
        return None
    raise ValueError(f"{uri!r} is no address to serve at. {forms}")


def _port(address: ParseResult) -> int | None:
    try:
        return address.port
    except ValueError:  # out of range, or no number
        return None


def _check_zeroconf(name: str | None, host: str) -> None:
    if name is None:
        return
    if host in LOOPBACK:
        raise ValueError(
            f"A server at {host} cannot be reached from a network; give tcp://0.0.0.0:PORT to announce it."
        )
    if find_spec("zeroconf") is None:
        raise ImportError("Announcing a server needs the package zeroconf. Run `pip install zeroconf`.")


async def _announce(name: str, uri: str) -> None:
    from wyoming.zeroconf import HomeAssistantZeroconf

    address = urlparse(uri)
    host = None if address.hostname in ("0.0.0.0", "::") else address.hostname
    await HomeAssistantZeroconf(name=name, port=address.port, host=host).register_server()


class _signals:
    """Call a function at each signal that ends a program, where the event loop can."""

    def __init__(self, call: Callable[[], None]):
        self.call, self.numbers = call, []

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or another thread
                asyncio.get_running_loop().add_signal_handler(number, self.call)
                self.numbers.append(number)

    def __exit__(self, *_) -> None:
        for number in self.numbers:
            asyncio.get_running_loop().remove_signal_handler(number)


async def _standard_streams() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return streams of standard input and output, and let whatever is printed from now on go to standard error."""
    from wyoming.event import async_get_stdin

    loop, output = asyncio.get_running_loop(), os.fdopen(os.dup(1), "wb")
    sys.stdout.flush()
    os.dup2(2, 1)
    try:
        reader = await async_get_stdin()
        closing = asyncio.StreamReaderProtocol(asyncio.StreamReader())  # knows when all is written
        transport, _ = await loop.connect_write_pipe(lambda: closing, output)
    except ValueError as error:
        raise ValueError(f"stdio:// needs pipes as standard input and output, not files ({error}).") from error
    return reader, asyncio.StreamWriter(transport, closing, None, loop)
