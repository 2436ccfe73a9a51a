"""`hf-vits wyoming` passes its options on, and says what is wrong before a voice is loaded."""

import asyncio
import os
import signal
import threading

import processes
import pytest

pytest.importorskip("wyoming.event")
from wyoming.client import AsyncClient
from wyoming.tts import Synthesize
from wyoming_conversations import answers, sound

from hf_vits.cli import main
from hf_vits.serving import voice_pool
from hf_vits.serving.wyoming import WyomingServer


@pytest.fixture
def folder(saved_voice, tmp_path):
    saved_voice(tmp_path / "joe")
    return str(tmp_path / "joe")


@pytest.fixture
def served(monkeypatch):
    """Records servers and their addresses instead of serving."""
    found = []

    async def serve(self, uri, zeroconf=None, ready=None):
        ready()
        found.append((self, uri, zeroconf, self.service.pool.loaded))

    monkeypatch.setattr(WyomingServer, "serve", serve)
    return found


def test_options_reach_the_server_and_the_first_voice_is_loaded_by_a_worker(folder, served, capsys, monkeypatch):
    threads = []

    def load(source, dtype, load=voice_pool.load_pipeline):
        threads.append(threading.current_thread().name)
        return load(source, dtype)

    monkeypatch.setattr(voice_pool, "load_pipeline", load)
    options = ["--speed", "1.5", "--noise-scale", "0.1", "--pause", "0.2", "--seed", "3", "--speaker", "0"]
    options += ["--max-characters", "99", "--max-requests", "7", "--uri", "tcp://0.0.0.0:1234"]
    options += ["--max-connections", "5", "--idle-seconds", "60", "--grace", "2.5"]
    assert main(["wyoming", f"a={folder}", folder, *options]) == 0
    ((server, uri, zeroconf, loaded),) = served
    service = server.service
    assert (server.max_connections, service.idle_seconds, server.grace) == (5, 60, 2.5)
    request = service.request
    assert (uri, zeroconf, loaded, service.max_characters, service.scheduler.max_jobs) == (
        "tcp://0.0.0.0:1234",
        None,
        ["a"],
        99,
        7,
    )
    assert (request.speed, request.noise_scale, request.noise_scale_duration) == (1.5, 0.1, None)
    assert (request.pause, request.seed, request.speaker, request.voice) == (0.2, 3, "0", "a")
    assert [voice.name for voice in service.info.tts[0].voices] == ["a", "joe"]
    assert threads == ["speech-0"]
    assert "a, joe at tcp://0.0.0.0:1234" in capsys.readouterr().err


def test_sigterm_ends_the_command_with_status_0_after_the_answer(folder, tmp_path):
    uri = f"unix://{tmp_path / 'socket'}"
    errors, end = processes.pipe()
    process = processes.start(processes.command, ["wyoming", folder, "--uri", uri], None, None, end)
    end.close()
    with errors:
        assert b"joe at unix://" in errors.readline()

    async def conversation():
        async with AsyncClient.from_uri(uri) as client:
            await client.write_event(Synthesize("a hope. " * 60).event())
            first = await client.read_event()
            os.kill(process.pid, signal.SIGTERM)
            return [first, *await answers(client, "audio-stop"), await client.read_event()]

    *events, after = asyncio.run(conversation())
    assert len(sound(events)) and after is None and processes.exit_codes([process]) == [0]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--uri", "http://127.0.0.1:1"], "is no address to serve at"),
        (["--speed", "99"], "--speed is 99.0; it must be 0.1 to 10"),
        (["--seed", str(2**64)], "--seed is"),
        (["--zeroconf", "joe"], "cannot be reached from a network"),
        (["--workers", "-1"], "`workers` is -1"),
        (["--max-characters", "0"], "`max_characters` is 0"),
        (["--speaker", "dan"], "speaker"),
    ],
)
def test_what_is_wrong_is_one_sentence(folder, served, capsys, options, reason):
    assert main(["wyoming", folder, *options]) == 1
    errors = capsys.readouterr().err
    assert reason in errors and len(errors.strip().splitlines()) == 1 and not served
