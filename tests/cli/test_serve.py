"""`hf-vits serve` listens, answers, and ends cleanly; mistakes are reported before a voice is loaded."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from hf_vits.cli import main, serve

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")


@pytest.fixture
def voice(make_model, make_tokenizer, tmp_path):
    make_model().save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    return str(tmp_path / "voice")


def test_it_answers_with_the_key_until_a_signal_ends_it(voice):
    command = [
        sys.executable,
        "-m",
        "hf_vits.cli",
        "serve",
        f"ada={voice}",
        voice,
        "--alias",
        "nova=ada",
        "--port",
        "0",
    ]
    environment = {**os.environ, "HF_VITS_API_KEY": "sesame"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        said = server.stderr.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+/v1", said)[0]
        assert said.startswith("ada, voice at http")
        body = json.dumps({"model": "voice", "voice": "nova", "input": "a bed.", "response_format": "wav"}).encode()
        headers = {"Content-Type": "application/json", "Authorization": "Bearer sesame"}
        answer = urllib.request.urlopen(urllib.request.Request(f"{url}/audio/speech", body, headers), timeout=60)
        assert answer.headers["X-Voice"] == "ada" and answer.read().startswith(b"RIFF")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/models", timeout=60)
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0 and server.stderr.read().strip() == "The server has stopped."


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
        (["default", "--port", "70000"], "cannot listen"),
        (["default", "--host", "203.0.113.9"], "cannot listen at 203.0.113.9"),
    ],
)
def test_mistakes_are_reported(options, said, capsys, monkeypatch):
    monkeypatch.setattr("hf_vits.conversion.resolve.known_voice", lambda name: name if name == "default" else None)
    assert main(["serve", *options, *(["--port", "0"] if "--port" not in options else [])]) == 1
    assert said in capsys.readouterr().err


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(serve, "PACKAGES", ("no_such_package",))
    with pytest.raises(ImportError, match=r"no_such_package is not installed. Run `pip install \"hf_vits\[serve\]\"`"):
        serve.require_serve_extra()
