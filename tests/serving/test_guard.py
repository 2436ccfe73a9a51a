"""Requests that name another host are refused: a web page whose name was let stand for this machine (DNS rebinding)."""

import json

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from http_server import GatedPipe, ask, exchange, pool_of, serving

from hf_vits.serving.guard import host_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        *(("localhost", "localhost"), ("localhost:8000", "localhost"), ("localhost:", "localhost")),
        *(("127.0.0.1:80", "127.0.0.1"), ("[::1]", "::1"), ("[::1]:8000", "::1")),
        *(("a.example:8000", "a.example"), ("127.0.0.1:a.example", "127.0.0.1:a.example"), ("[::1].a:1", "[::1].a")),
    ],
)
def test_a_host_has_its_name_without_its_port(host, name):
    assert host_name(host) == name


@pytest.fixture(scope="module")
def status():
    """The status of a request that names a host, by a server that may be called proxy.example."""
    pipe = GatedPipe()
    pipe.allow()
    with serving(pool_of(pipe), hosts=("proxy.example",)) as server:
        yield lambda host, *request: ask(server.port, *request, headers={"Host": host})[0]
        old = exchange(server.port, b"GET /health HTTP/1.0\r\n\r\n")  # no browser is that old
        assert old.startswith(b"HTTP/1.1 200"), old


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "192.168.1.7", "[::1]:8000", "Proxy.Example:443"]
)
def test_addresses_localhost_and_names_that_are_allowed_are_answered(status, host):
    assert status(host) == status(host, "GET", "/") == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8000", "x.proxy.example", "[::1"]
)
def test_other_names_are_refused_for_every_route(status, host):
    assert {status(host), status(host, "GET", "/"), status(host, "GET", "/health")} == {421}


def test_the_error_says_which_host_and_what_to_do():
    with serving(pool_of(GatedPipe()), hosts=()) as server:
        code, _, body = ask(server.port, "GET", "/v1/models", headers={"Host": "evil.example"})
    error = json.loads(body)["error"]
    assert code == 421 and "'evil.example'" in error["message"] and "--allow-host" in error["message"]


def test_without_the_setting_every_name_is_answered():
    with serving(pool_of(GatedPipe())) as server:
        assert ask(server.port, "GET", "/health", headers={"Host": "evil.example"})[0] == 200
