"""Hundreds of malformed requests: each is refused with a reason, and the server lives and opens no file."""

import codecs
import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

import malformed
from http_server import ask, exchange, serving

from hf_vits.serving import VoicePool

opened = []
"""Files that were opened while `is_recorded` is set; an audit hook cannot be removed."""
is_recorded = []


def record(event, arguments):
    if is_recorded and event in ("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "subprocess.Popen"):
        opened.append((event, str(arguments[0])))


sys.addaudithook(record)
for encoding in (
    "utf-16-be",
    "utf-16-le",
    "utf-32-be",
    "utf-32-le",
):  # of JSON, perhaps: Python reads modules
    codecs.lookup(encoding)


@pytest.fixture(scope="module")
def server(make_pipe):
    limits = {"max_body_bytes": malformed.MAX_BODY, "max_characters": malformed.MAX_CHARACTERS}
    with serving(VoicePool({"tiny": make_pipe()}), header_seconds=0.6, body_seconds=0.6, **limits) as server:
        assert ask(server.port)[0] == 200
        yield server


def fault_of(name, answer):
    """What is wrong with an answer; None for a refusal with a reason."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ")[1:2]
    if not head.startswith(b"HTTP/1.1 4"):
        return f"{name}: {answer[:80]!r}"
    if b"application/json" not in head:  # of the HTTP library, which knows no JSON
        return None if status == [b"400"] and body else f"{name}: no reason in {answer[:200]!r}"
    error = json.loads(body)["error"]
    is_said = error["message"] and error["code"] and error["type"].endswith("_error")
    return None if is_said else f"{name}: no reason in {error}"


def test_malformed_requests_are_refused_with_a_reason_and_no_file_is_opened(server):
    kinds = (malformed.wrong_fields, malformed.wrong_bodies, malformed.wrong_headers, malformed.wrong_places)
    requests = [request for kind in kinds for request in kind()]
    assert len(requests) >= 500
    is_recorded.append(True)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda request: exchange(server.port, request[1]), requests))
    document = '<speak><lexicon uri="/etc/passwd"/>a bed<audio src="/etc/passwd">a mop</audio></speak>'
    assert ask(server.port, input=document)[0] == 200
    is_recorded.clear()
    faults = [fault_of(name, answer) for (name, _), answer in zip(requests, answers, strict=True)]
    found = [fault for fault in faults if fault]
    assert not found, "\n".join(found)
    assert opened == []
    assert ask(server.port)[0] == 200 and server.scheduler.jobs == 0


def test_slow_requests_are_refused_with_a_reason_in_time(server):
    requests = list(malformed.slow())

    def send(request):
        return exchange(server.port, *request[1], pause=0.05, timeout=20)

    with ThreadPoolExecutor(len(requests)) as threads:
        answers = list(threads.map(send, requests))
    faults = [fault_of(name, answer) for (name, _), answer in zip(requests, answers, strict=True)]
    found = [fault for fault in faults if fault]
    assert not found, "\n".join(found)
    assert ask(server.port)[0] == 200


def test_time_for_headers_begins_anew_with_each_request_of_a_connection(server):
    body = json.dumps({"model": "tts-1", "voice": "tiny", "input": "a bed."}).encode()
    whole = malformed.request(body, headers={"Connection": "keep-alive"})
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(whole)
        first = b""
        while not first.endswith(b"\r\n0\r\n\r\n"):
            first += connection.recv(65_536)
        connection.sendall(whole[:40])
        second = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert first.startswith(b"HTTP/1.1 200") and second.startswith(b"HTTP/1.1 400")
    assert b"did not arrive within 0.6 s" in second


def test_a_slow_answer_is_not_taken_for_slow_headers(make_pipe):
    from http_server import GatedPipe, pool_of

    pipe = GatedPipe(chunks=2)
    with serving(pool_of(pipe), header_seconds=0.2, body_seconds=0.2) as server, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(ask, server.port, response_format="pcm")
        assert not pipe.closed.wait(1)
        pipe.allow()
        assert answer.result()[0] == 200 and len(answer.result()[2]) == 6_400
