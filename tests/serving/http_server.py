"""A server on a free port of this machine, in a thread, with voices that a test controls."""

import http.client
import json
import select
import socket
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np

from hf_vits.serving import VoicePool
from hf_vits.serving.app import create_app, seconds_of
from hf_vits.serving.scheduling import Scheduler
from hf_vits.serving.server import listening_socket, make_server
from hf_vits.serving.settings import ServerSettings


class GatedPipe:
    """A voice that makes a chunk of 1,600 samples, each the number of the chunk, for each that is allowed."""

    def __init__(self, chunks=3):
        self.chunks, self.closed, self.is_open = chunks, threading.Event(), threading.Event()
        self.allowed = threading.Semaphore(0)
        config = {"sampling_rate": 16_000, "num_speakers": 1, "speaker_names": None, "language_names": None}
        config |= {"speaking_rate": 1.0, "noise_scale": 0.5, "num_languages": 1}
        self.tokenizer = SimpleNamespace(text_language="en-us")
        parameters = SimpleNamespace(parameters=lambda: [], buffers=lambda: [])
        self.model = SimpleNamespace(config=SimpleNamespace(**config), **vars(parameters))

    def allow(self, chunks=None):
        """Allows a number of chunks, all by default."""
        self.allowed.release(chunks) if chunks else self.is_open.set()

    def stream(self, text, **options):
        try:
            for number in range(self.chunks):
                while not (self.is_open.is_set() or self.allowed.acquire(timeout=0.02)):
                    pass
                samples = np.full(1_600, (number + 1) / 100, np.float32)
                yield {"audio": samples, "sampling_rate": 16_000, "sentence": number}
        finally:
            self.closed.set()


def pool_of(pipe):
    """A pool of one voice that a test controls."""
    return VoicePool({"gated": pipe}, load=lambda source: source)


@contextmanager
def serving(pool, grace=1.0, max_jobs=64, workers=2, **settings):
    """Serves until the end of the block; gives the port, the application and its parts."""
    settings = ServerSettings(**settings)
    scheduler = Scheduler(workers, max_jobs, cost=seconds_of)
    app = create_app(pool, scheduler, settings)
    with listening_socket("127.0.0.1", 0) as listener:
        server = make_server(app, settings, grace, "critical")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield SimpleNamespace(
                port=port, url=f"http://127.0.0.1:{port}/v1", app=app, scheduler=scheduler, server=server, thread=thread
            )
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive(), "the server did not stop"


def ask(port, method="POST", path="/v1/audio/speech", body=None, headers=None, **fields):
    """Returns status, headers and body of an answer; fields are those of a request for speech."""
    if method == "POST" and body is None:
        body = json.dumps({"model": "tts-1", "voice": "alloy", "input": "a bed.", **fields})
    headers = {"Content-Type": "application/json", **(headers or {})} if method == "POST" else headers or {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def exchange(port, *parts, pause=0.0, timeout=60):
    """Sends bytes as they are, in parts until there is an answer; returns what comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        answer = bytearray()
        try:
            for part in parts:
                connection.sendall(part)
                if select.select([connection], [], [], pause)[0]:
                    break
            while block := connection.recv(65_536):
                answer += block
        except (TimeoutError, ConnectionError):
            pass
        return bytes(answer)


def wait_until(condition, seconds=30):
    """Waits for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
