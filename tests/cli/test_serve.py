"""`hf-vits serve` listens, answers, and ends cleanly; mistakes are reported before a voice is loaded."""

import json
import os
import pickle
import re
import shutil
import signal
import socket
import sys
import time
import urllib.request
from dataclasses import fields, replace

import processes
import pytest

from hf_vits.cli import main, serve
from hf_vits.cli.parser import Parser

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
from hf_vits.serving.settings import ServerSettings


@pytest.fixture
def voice(saved_voice, tmp_path):
    saved_voice(tmp_path / "voice")
    return str(tmp_path / "voice")


def serve_into(log, options):
    """Runs the verb in a process of its own, which writes its messages to a file."""
    with open(log, "w", buffering=1) as sys.stderr:
        sys.exit(main(["serve", *options]))


def address_in(log, server):
    """Waits for the address that a server says."""
    while server.is_alive():
        if found := re.search(r"http://127\.0\.0\.1:\d+/v1", log.read_text() if log.exists() else ""):
            return found[0]
        time.sleep(0.02)
    raise AssertionError(log.read_text())


@pytest.mark.thorough
def test_it_answers_with_the_key_until_a_signal_ends_it(voice, tmp_path):
    options = [f"ada={voice}", voice, "--alias", "nova=ada", "--port", "0"]
    log = tmp_path / "log"
    server = processes.start(serve_into, str(log), options, environment={"HF_VITS_API_KEY": "sesame"})
    try:
        url = address_in(log, server)
        assert log.read_text().startswith("ada, voice at http")
        body = json.dumps({"model": "voice", "voice": "nova", "input": "a bed.", "response_format": "wav"}).encode()
        headers = {"Content-Type": "application/json", "Authorization": "Bearer sesame"}
        answer = urllib.request.urlopen(urllib.request.Request(f"{url}/audio/speech", body, headers), timeout=60)
        assert answer.headers["X-Voice"] == "ada" and answer.read().startswith(b"RIFF")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/models", timeout=60)
        other = urllib.request.Request(f"{url}/models", headers={**headers, "Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(other, timeout=60)
    finally:
        os.kill(server.pid, signal.SIGTERM)
    assert processes.exit_codes([server]) == [0]
    assert log.read_text().splitlines()[-1] == "The server has stopped."


def test_an_address_that_is_taken_is_reported(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "default", "--port", str(taken.getsockname()[1])]) == 1
    assert re.search(r"cannot listen at 127\.0\.0\.1, port \d+: .*in use.*Give others", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["no/such/voice"], "no/such/voice"),
        (["default", "--alias", "nova"], "--alias is 'nova'; give NAME=VOICE with one of en_US-joe-medium"),
        (["default", "--alias", "nova=ada"], "--alias is 'nova=ada'"),
        (["default", "default"], "Two voices have the name 'en_US-joe-medium'"),
        (["default", "--sample-rate", "7"], "`sample_rate` is 7; it must be 8000 to 48000"),
        (["default", "--max-characters", "0"], "`max_characters` is 0; it must be above 0"),
        (["default", "--processes", "0"], "--processes is 0; give 1 or more"),
        (["default", "--processes", "2", "--workers", "2"], "without --workers"),
        (["default", "--allow-host", "https://voice.example"], "give the name alone, as voice.example"),
        (["default", "--port", "70000"], "must be 0-65535. Give others"),
        (["default", "--host", "203.0.113.9"], "cannot listen at 203.0.113.9"),
    ],
)
def test_mistakes_are_reported(options, said, capsys, monkeypatch):
    monkeypatch.setattr("hf_vits.conversion.resolve.known_voice", lambda name: name if name == "default" else None)
    assert main(["serve", *options, *(["--port", "0"] if "--port" not in options else [])]) == 1
    assert said in capsys.readouterr().err


def test_every_setting_of_the_server_has_an_option_that_reaches_it(monkeypatch):
    found = []

    def application(options, settings):
        found.append(settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "_application", application)
    monkeypatch.setenv("HF_VITS_API_KEY", "sesame")
    plain, special = ServerSettings(), {"api_key": "sesame", "cors_origins": ("*",), "hosts": ("voice.example",)}
    numbers = {f.name: (getattr(plain, f.name) or 7999) + 1 for f in fields(plain) if f.name not in special}
    words = [word for name, value in numbers.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    common = ["serve", "default", "--port", "0", "--allow-host", "voice.example", "--cors-origin", "*"]
    assert main([*common, *words]) == main(common) == 0
    assert found[0] == replace(plain, **numbers, **special) and found[1] == replace(plain, **special)


def test_processes_get_the_voices_and_their_parts_of_memory_and_cores(voice, monkeypatch):
    threads = []
    monkeypatch.setattr("hf_vits.serving.processes.SpeakingProcess", lambda make: pickle.loads(pickle.dumps(make)))
    monkeypatch.setattr(serve, "use_threads", lambda *given: threads.append(given))
    monkeypatch.setattr(serve, "cores", lambda: 6)
    parser = Parser()
    serve.add_arguments(parser)
    options = parser.parse_args([f"ada={voice}", "--processes", "2", "--max-requests", "9"])
    pool, scheduler = serve.pool_and_scheduler(options, float, ["nova=ada"])
    assert len(scheduler._threads) == len(pool.processes) == 2 and scheduler.max_jobs == 9 and not threads
    theirs = pool.processes[1]()
    assert (theirs.names, theirs.aliases, theirs.max_bytes, threads) == (["ada"], {"nova": "ada"}, 10**9, [(3, 3)])


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(serve, "PACKAGES", ("no_such_package",))
    with pytest.raises(ImportError, match=r"no_such_package is not installed. Run `pip install \"hf_vits\[serve\]\"`"):
        serve.require_serve_extra()


@pytest.mark.parametrize(
    ("names", "address", "hosts"),
    [
        ([], "127.0.0.1", ()),
        ([], "::1", ()),
        ([], "0.0.0.0", None),
        ([], "192.168.1.7", None),
        (["Voice.Example"], "127.0.0.1", ("voice.example",)),
        (["voice.example"], "0.0.0.0", ("voice.example",)),
        (["voice.example:443", "[fd00::1]:80"], "127.0.0.1", ("voice.example", "fd00::1")),
        (["*"], "127.0.0.1", None),
    ],
)
def test_a_loopback_server_answers_for_no_other_names_unless_they_are_allowed(names, address, hosts):
    assert serve.allowed_hosts(names, address) == hosts


def test_a_folder_may_have_an_equals_sign_in_its_path(voice, tmp_path):
    shutil.copytree(voice, folder := tmp_path / "runs" / "rate=2e-4")
    assert serve.named_voices([str(folder), f"ada={folder}"]) == {"rate=2e-4": str(folder), "ada": str(folder)}


@pytest.mark.parametrize(
    ("key", "address", "is_open"),
    [(None, "0.0.0.0", True), (None, "192.168.1.7", True), ("k", "0.0.0.0", False), (None, "::1", False)],
)
def test_a_server_is_open_to_others_at_their_addresses_and_without_a_key(key, address, is_open):
    assert serve.is_open(key, address) is is_open


@pytest.mark.thorough
def test_it_says_if_others_can_use_it_without_a_key(voice, tmp_path):
    log, options = tmp_path / "log", [voice, "--host", "0.0.0.0", "--port", "0"]
    server = processes.start(serve_into, str(log), options, environment={"HF_VITS_API_KEY": ""})
    while server.is_alive() and "/v1" not in (log.read_text() if log.exists() else ""):
        time.sleep(0.02)
    os.kill(server.pid, signal.SIGTERM)
    processes.exit_codes([server])
    assert "The server needs no key: whoever reaches 0.0.0.0 can use it" in log.read_text()
