"""Listen for clients of the Wyoming protocol at an address, until a signal ends the server."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import ParseResult, urlparse

from hf_vits.serving.scheduling import Scheduler
from hf_vits.serving.voice_pool import SpeechRequest, VoicePool
from hf_vits.serving.wyoming.discovery import announced
from hf_vits.utils.formatting import quoted

MAX_CHARACTERS = 100_000
"""Longest text of a request by default: two hours of speech."""

MAX_CONNECTIONS = 256
"""Connections that are kept at once by default; Home Assistant opens one for each text."""

IDLE_SECONDS = 300.0
"""Seconds for a client to send or take the next event by default: a language model may be slow, a player paused."""

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
        max_connections (`int`, *optional*, defaults to 256):
            Connections at once; further ones are answered with an error.
        idle_seconds (`float`, *optional*, defaults to 300.0):
            Time for a client to send its next event, or to take the next one; then it is disconnected.
        grace (`float`, *optional*, defaults to 30.0):
            Seconds for answers to finish after a signal; then they are ended, as after a second signal.
        **options:
            Fields of [`SpeechRequest`] for all requests: `speaker` (of the first voice), `speed`, `noise_scale`,
            `noise_scale_duration`, `pause`, `seed`.

    Raises:
        ImportError: if the package `wyoming` is missing.
        OSError, ValueError: for a voice whose configuration cannot be read, or a wrong option.
    """

    def __init__(
        self,
        pool: VoicePool,
        scheduler: Scheduler,
        max_characters: int = MAX_CHARACTERS,
        max_connections: int = MAX_CONNECTIONS,
        idle_seconds: float = IDLE_SECONDS,
        grace: float = 30.0,
        **options: Any,
    ):
        check_address("stdio://")
        limits = {"max_characters": max_characters, "max_connections": max_connections, "idle_seconds": idle_seconds}
        for name, value in limits.items():
            if not value > 0:
                raise ValueError(f"`{name}` is {value}; it must be above 0.")
        if not grace >= 0:
            raise ValueError(f"`grace` is {grace}; it must be 0 or more.")
        from hf_vits.serving.wyoming.handler import Service, SpeechHandler
        from hf_vits.serving.wyoming.information import describe

        request = SpeechRequest("", voice=pool.names[0], **options)
        self.service = Service(pool, scheduler, describe(pool), request, max_characters, idle_seconds)
        self.max_connections, self.grace, self._handler = max_connections, grace, SpeechHandler
        self._connections: dict[asyncio.Task, SpeechHandler] = {}
        self._ended: asyncio.Event | None = None
        self._hurried: asyncio.Event | None = None

    def warm_up(self) -> None:
        """Load the first voice and speak with the options of all requests, as [`VoicePool.warm_up`]."""
        self.service.pool.warm_up(self.service.scheduler, self.service.request)

    async def serve(self, uri: str, zeroconf: str | None = None, ready: Callable[[], None] = lambda: None) -> None:
        """
        Serve until SIGINT, SIGTERM or SIGHUP, or until `stop`; on `stdio://` until the end of the input.

        Then no more clients are accepted, answers that are under way end, and new texts are errors.

        Args:
            uri (`str`):
                `"tcp://host:port"`, `"unix:///path"` or `"stdio://"`.
            zeroconf (`str`, *optional*):
                Name by which Home Assistant finds the server; needs TCP and the package `zeroconf`.
            ready (`Callable`, *optional*):
                Called when clients can connect.

        Raises:
            ValueError: for an address of another form; see [`check_address`].
            OSError: if the address is in use, or there is no network to announce the server in.
        """
        check_address(uri, zeroconf)
        address = urlparse(uri)
        self._ended, self._hurried, self.service.is_closing = asyncio.Event(), asyncio.Event(), False
        with _signals(self.stop):
            if address.scheme == "stdio":
                await self._serve_stdio(ready)
                return
            announcement = nullcontext() if zeroconf is None else announced(zeroconf, address.hostname, address.port)
            async with self._listening(address), announcement:
                ready()
                await self._ended.wait()

    def stop(self) -> None:
        """End `serve` after the answers that are under way, and at once if called again; call it in its event loop."""
        if self._ended is not None:
            (self._hurried if self._ended.is_set() else self._ended).set()

    @asynccontextmanager
    async def _listening(self, address: ParseResult) -> AsyncIterator[None]:
        if address.scheme == "tcp":
            listener = await asyncio.start_server(self._connected, address.hostname, address.port)
        else:
            Path(address.path).unlink(missing_ok=True)
            listener = await asyncio.start_unix_server(self._connected, address.path)
        try:
            yield
        finally:
            listener.close()
            if address.scheme == "unix":
                Path(address.path).unlink(missing_ok=True)
            await self._finish()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a client, or refuse it if there are too many."""
        handler, task = self._handler(self.service, reader, writer), asyncio.current_task()
        if len(self._connections) >= self.max_connections:
            count = len(self._connections)
            await handler.refuse(ConnectionRefusedError(f"There are {count} connections, the most. Try again later."))
            writer.close()
            return
        self._connections[task] = handler
        try:
            await handler.run()
        finally:
            del self._connections[task]

    async def _finish(self) -> None:
        """Let answers end that are under way, in the time of grace and until `stop` is called again; then end them."""
        self.service.is_closing = True
        for handler in self._connections.values():
            handler.finish()
        hurried = asyncio.ensure_future(self._hurried.wait())
        answered = asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.wait([hurried, answered], timeout=self.grace, return_when=asyncio.FIRST_COMPLETED)
        left = [hurried, *self._connections]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve_stdio(self, ready: Callable[[], None]) -> None:
        reader, writer = await _standard_streams()
        ready()
        client = asyncio.ensure_future(self._connected(reader, writer))
        ended = asyncio.ensure_future(self._ended.wait())
        await asyncio.wait([client, ended], return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        await self._finish()
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
    if not 0 < len(name.encode(errors="replace")) <= 63 or not name.isprintable():
        raise ValueError(f"The name {quoted(name)} cannot be announced; give 1 to 63 bytes that can be printed.")
    if find_spec("zeroconf") is None:
        raise ImportError("Announcing a server needs the package zeroconf. Run `pip install zeroconf`.")


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
