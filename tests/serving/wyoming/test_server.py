"""A server listens at sockets and pipes, ends at a signal, and refuses addresses that it must not use."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import processes
import pytest

pytest.importorskip("wyoming")
from wyoming.client import AsyncClient
from wyoming.event import async_read_event, async_write_event
from wyoming.info import Describe, Info
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeVoice
from wyoming_conversations import answers, serving, sound, whole

from hf_vits.serving import Scheduler, VoicePool
from hf_vits.serving.wyoming import WyomingServer
from hf_vits.serving.wyoming.server import check_address

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def pool(pipe):
    return VoicePool({"tiny": pipe})


@pytest.fixture
def scheduler():
    with Scheduler() as scheduler:
        yield scheduler


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_tcp_and_a_unix_socket_give_the_same_answers(pool, scheduler, tmp_path):
    async def conversation(uri):
        async with serving(uri, pool, scheduler, seed=5):
            return sound(await whole(uri, "A hope."))

    tcp, unix = (f"tcp://127.0.0.1:{free_port()}", f"unix://{tmp_path / 'socket'}")
    np.testing.assert_array_equal(asyncio.run(conversation(tcp)), asyncio.run(conversation(unix)))
    assert not (tmp_path / "socket").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_server_and_its_connections(pool, scheduler, tmp_path, number):
    uri = f"unix://{tmp_path / 'socket'}"

    async def conversation():
        server, ready = WyomingServer(pool, scheduler), asyncio.Event()
        task = asyncio.ensure_future(server.serve(uri, ready=ready.set))
        await ready.wait()
        async with AsyncClient.from_uri(uri) as client:
            await client.write_event(Synthesize("A hope on a home. " * 500).event())
            await client.read_event()
            os.kill(os.getpid(), number)
            await asyncio.wait_for(task, 30)
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await asyncio.wait_for(client.read_event(), 30) is not None:
                    pass
        while scheduler.jobs:
            await asyncio.sleep(0.01)

    before = signal.getsignal(number)
    asyncio.run(conversation())
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    "uri",
    [
        "tcp://127.0.0.1",
        "tcp://:10200",
        "tcp://127.0.0.1:99999",
        "tcp://127.0.0.1:a",
        "tcp://127.0.0.1:1/x",
        "http://a:1",
    ]
    + ["unix://run/socket", "unix://", "127.0.0.1:10200", "stdio://file", ""],
)
def test_an_address_of_another_form_is_refused_with_the_forms(uri):
    with pytest.raises(ValueError, match=r"is no address.*tcp://HOST:PORT"):
        check_address(uri)


def test_a_file_is_not_replaced_by_a_socket(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(ValueError, match="exists and is no socket"):
        check_address(f"unix://{tmp_path / 'letter.txt'}")


def test_a_port_in_use_is_an_error(pool, scheduler):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        asyncio.run(WyomingServer(pool, scheduler).serve(f"tcp://127.0.0.1:{taken.getsockname()[1]}"))


def test_a_missing_package_is_named_with_the_extra(monkeypatch, pool, scheduler):
    monkeypatch.setattr("hf_vits.serving.wyoming.server.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "hf_vits\[wyoming\]"'):
        WyomingServer(pool, scheduler)


def test_only_what_a_network_can_reach_is_announced(monkeypatch, pool, scheduler):
    for uri in ("tcp://127.0.0.1:10200", "tcp://localhost:10200", "unix:///run/x", "stdio://"):
        with pytest.raises(ValueError, match=r"0\.0\.0\.0|only tcp"):
            check_address(uri, "joe")
    packages = {"wyoming"}
    monkeypatch.setattr("hf_vits.serving.wyoming.server.find_spec", lambda name: name if name in packages else None)
    with pytest.raises(ImportError, match="pip install zeroconf"):
        check_address("tcp://0.0.0.0:10200", "joe")
    packages.add("zeroconf")
    announced = []

    class Zeroconf:
        def __init__(self, **fields):
            announced.append(fields)

        async def register_server(self):
            announced.append("registered")

    monkeypatch.setitem(sys.modules, "wyoming.zeroconf", SimpleNamespace(HomeAssistantZeroconf=Zeroconf))
    port = free_port()

    async def conversation():
        server = WyomingServer(pool, scheduler)
        await server.serve(f"tcp://0.0.0.0:{port}", "joe", ready=server.stop)

    asyncio.run(conversation())
    assert announced == [{"name": "joe", "port": port, "host": None}, "registered"]


def serve_standard_streams(folder, reading, writing, closed):
    """`hf-vits wyoming --uri stdio://`, which also prints something: the target of a process."""
    from hf_vits.cli import main

    os.dup2(reading.fileno(), 0), os.dup2(writing.fileno(), 1)
    for end in (reading, writing, closed[0], closed[1]):
        end.close()
    sys.stdin, sys.stdout = open(0), open(1, "w", closefd=False)  # noqa: SIM115
    print_info = sys.stdout
    from hf_vits.serving.wyoming import handler

    speak = handler.SpeechHandler._speak

    async def printing(self, request):
        print("words of a library", file=print_info, flush=True)
        await speak(self, request)

    handler.SpeechHandler._speak = printing
    sys.exit(
        main(["wyoming", f"tiny={folder}", "--uri", "stdio://", "--noise-scale", "0", "--noise-scale-duration", "0"])
    )


TEXT = "A hope on a home. No lamp on a pole."


async def talk(reading, writing):
    """What the tests of wyoming-piper ask of a server at standard streams -> whole and streamed events."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), reading)
    transport, protocol = await loop.connect_write_pipe(lambda: asyncio.streams.FlowControlMixin(loop=loop), writing)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    client = SimpleNamespace(read_event=lambda: async_read_event(reader))
    await async_write_event(Describe().event(), writer)
    info = Info.from_event((await answers(client, "info"))[-1])
    assert [voice.name for program in info.tts for voice in program.voices] == ["tiny"]
    await async_write_event(Synthesize(TEXT, voice=SynthesizeVoice("tiny")).event(), writer)
    found = [await answers(client, "audio-stop")]
    for event in (SynthesizeStart(voice=SynthesizeVoice("tiny")), SynthesizeChunk(TEXT), SynthesizeStop()):
        await async_write_event(event.event(), writer)
    found.append(await answers(client, "synthesize-stopped"))
    await async_write_event(Synthesize(TEXT).event(), writer)
    writer.close()  # the end of the input is not the end of an answer
    found.append(await answers(client, "audio-stop"))
    return found


def test_a_server_at_standard_streams_answers_like_any_other_and_ends_with_its_input(pipe, tmp_path):
    pipe.save_pretrained(tmp_path / "voice")
    (requests, asks), (replies, answers_end) = processes.CONTEXT.Pipe(False), processes.CONTEXT.Pipe(False)
    process = processes.start(serve_standard_streams, str(tmp_path / "voice"), requests, answers_end, (asks, replies))
    requests.close(), answers_end.close()
    with os.fdopen(os.dup(replies.fileno()), "rb") as reading, os.fdopen(os.dup(asks.fileno()), "wb") as writing:
        asks.close(), replies.close()
        found = asyncio.run(talk(reading, writing))
    assert processes.exit_codes([process]) == [0]
    expected = pipe(TEXT, noise_scale=0.0, noise_scale_duration=0.0)["audio"]
    for events in found:
        np.testing.assert_allclose(sound(events), 32767 * expected, rtol=0, atol=1)
