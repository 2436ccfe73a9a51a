"""A server listens at sockets and pipes, ends at a signal, and refuses addresses that it must not use."""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import SimpleNamespace

import numpy as np
import processes
import pytest
import torch

pytest.importorskip("wyoming.event")
from wyoming.client import AsyncClient
from wyoming.event import async_read_event, async_write_event
from wyoming.info import Describe, Info
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeVoice
from wyoming_conversations import answers, said, serving, sound, whole

from hf_vits.serving import Scheduler, VoicePool
from hf_vits.serving.wyoming import WyomingServer, discovery
from hf_vits.serving.wyoming.server import check_address

pytestmark = pytest.mark.timeout(120)
TEXT = "A hope on a home. No lamp on a pole."


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


class HeldPool(VoicePool):
    """Waits after each first chunk until it is released."""

    def __init__(self, *args):
        super().__init__(*args)
        self.released = threading.Event()

    def speak(self, *arguments):
        for number, chunk in enumerate(super().speak(*arguments)):
            assert number == 0 or self.released.wait(60)
            yield chunk


@pytest.fixture
def held(pipe):
    pool = HeldPool({"tiny": pipe})
    yield pool
    pool.released.set()


@asynccontextmanager
async def clients(uri, pool, scheduler, number=1, **options):
    """A server in this event loop, which a test ends, and clients of it -> the server, its task, the clients."""
    server, ready = WyomingServer(pool, scheduler, seed=5, **options), asyncio.Event()
    task = asyncio.ensure_future(server.serve(uri, ready=ready.set))
    await ready.wait()
    async with AsyncExitStack() as stack:
        yield server, task, [await stack.enter_async_context(AsyncClient.from_uri(uri)) for _ in range(number)]


async def send(client, *events):
    for event in events:
        await client.write_event(event.event())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_a_signal_what_has_begun_is_completed_and_what_is_new_refused(held, pipe, scheduler, tmp_path, number):
    uri = f"tcp://127.0.0.1:{free_port()}" if number == signal.SIGTERM else f"unix://{tmp_path / 'socket'}"

    async def conversation():
        async with clients(uri, held, scheduler, 3) as (server, task, (whole_text, chunks, idle)):
            await send(whole_text, Synthesize(TEXT))
            await send(chunks, SynthesizeStart(), SynthesizeChunk("A hope. And "))
            first = [await client.read_event() for client in (whole_text, chunks)]
            os.kill(os.getpid(), number)
            assert await asyncio.wait_for(idle.read_event(), 30) is None
            with pytest.raises(OSError):
                await AsyncClient.from_uri(uri).connect()
            await send(whole_text, Synthesize("Home."))
            held.released.set()
            while not any(one._stream and one._waiting for one in server._connections.values()):
                await asyncio.sleep(0.01)  # until the first sentence of the chunks was spoken
            await send(chunks, SynthesizeChunk("home."), SynthesizeStop())
            found = [[first[0], *await answers(whole_text, "audio-stop")]]
            (refused,) = await answers(whole_text, "audio-stop")
            found.append([first[1], *await answers(chunks, "synthesize-stopped")])
            assert await chunks.read_event() is None
            await asyncio.wait_for(task, 30)
            return found, refused

    before = signal.getsignal(number)
    found, refused = asyncio.run(conversation())
    assert signal.getsignal(number) == before and "shutting down" in refused.data["text"]
    for events, text in zip(found, (TEXT, "A hope. And home."), strict=True):
        expected = 32767 * pipe(text, generator=torch.Generator().manual_seed(5))["audio"]
        np.testing.assert_allclose(sound(events), expected, rtol=0, atol=1)


@pytest.mark.parametrize(("grace", "stops"), [(0.1, 1), (60.0, 2)])
def test_answers_end_with_the_time_of_grace_or_a_second_signal(held, scheduler, tmp_path, grace, stops):
    async def conversation():
        async with clients(f"unix://{tmp_path / 'socket'}", held, scheduler, grace=grace) as (server, task, (client,)):
            await send(client, Synthesize(TEXT))
            assert (await client.read_event()).type == "audio-start"
            for _ in range(stops):
                server.stop()
            await asyncio.wait_for(task, 30)
            assert "audio-stop" not in [event.type for event in await answers(client, "audio-stop")]

    asyncio.run(conversation())
    held.released.set()
    while scheduler.jobs:
        time.sleep(0.01)


@pytest.mark.parametrize("sent", [b"", b'{"type": "ping"', b'{"type": "ping", "data_length": 9}\n{"text"'])
def test_a_client_that_sends_no_complete_event_in_time_is_disconnected(pool, scheduler, tmp_path, sent):
    async def conversation():
        async with serving(f"unix://{tmp_path / 'socket'}", pool, scheduler, idle_seconds=0.1):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
            writer.write(sent)
            found = [await asyncio.wait_for(async_read_event(reader), 30) for _ in range(2)]
            writer.close()
            return found

    error, end = asyncio.run(conversation())
    assert error.type == "error" and "within 0.1 s" in error.data["text"] and end is None


def test_a_client_that_takes_no_audio_in_time_is_disconnected_and_its_work_ends(pool, scheduler, tmp_path):
    uri = f"unix://{tmp_path / 'socket'}"

    async def conversation():
        async with clients(uri, pool, scheduler, idle_seconds=0.1, pause=60.0) as (server, task, (one,)):
            await send(one, Synthesize(TEXT))
            while not server._connections:
                await asyncio.sleep(0.01)
            while server._connections or scheduler.jobs:
                await asyncio.sleep(0.01)
            server.stop()
            await task

    asyncio.run(asyncio.wait_for(conversation(), 60))


def test_an_answer_may_take_longer_than_a_client_may_be_idle(held, scheduler, tmp_path):
    async def conversation():
        async with clients(f"unix://{tmp_path / 'socket'}", held, scheduler, idle_seconds=0.1) as (
            server,
            _,
            (client,),
        ):
            await send(client, Synthesize(TEXT))
            asyncio.get_running_loop().call_later(0.3, held.released.set)
            assert len(sound(await answers(client, "audio-stop"))) > 0
            server.stop()

    asyncio.run(conversation())


def test_too_many_connections_are_refused_until_one_ends(pool, scheduler, tmp_path):
    uri = f"unix://{tmp_path / 'socket'}"

    async def conversation():
        async with serving(uri, pool, scheduler, max_connections=2) as server, AsyncClient.from_uri(uri) as one:
            async with AsyncClient.from_uri(uri) as other:
                for client in (one, other):
                    await send(client, Describe())
                    assert (await client.read_event()).type == "info"
                (refused,) = await said(uri)
            while len(server._connections) > 1:
                await asyncio.sleep(0.01)
            return refused, sound(await whole(uri, "A hope."))

    refused, samples = asyncio.run(conversation())
    assert refused.type == "error" and "2 connections, the most" in refused.data["text"] and len(samples)


@pytest.mark.parametrize("limit", ["max_characters", "max_connections", "idle_seconds"])
def test_limits_of_zero_are_refused(pool, scheduler, limit):
    with pytest.raises(ValueError, match=f"`{limit}` is 0; it must be above 0"):
        WyomingServer(pool, scheduler, **{limit: 0})


@pytest.mark.parametrize("grace", [-1.0, float("nan")])
def test_a_time_of_grace_below_zero_is_refused(pool, scheduler, grace):
    with pytest.raises(ValueError, match=f"`grace` is {grace}; it must be 0 or more"):
        WyomingServer(pool, scheduler, grace=grace)


@pytest.mark.parametrize("name", ["", "a" * 64, "ä" * 32, "a\nb"])
def test_a_name_that_cannot_be_announced_is_refused(name):
    with pytest.raises(ValueError, match="cannot be announced; give 1 to 63 bytes"):
        check_address("tcp://0.0.0.0:10200", name)


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
        async def async_register_service(self, info):
            announced.append(info)

        async def async_close(self):
            announced.append("closed")

    module = SimpleNamespace(AsyncZeroconf=Zeroconf, AsyncServiceInfo=lambda *names, **fields: (*names, fields))
    monkeypatch.setitem(sys.modules, "zeroconf", SimpleNamespace(NonUniqueNameException=KeyError, asyncio=module))
    monkeypatch.setitem(sys.modules, "zeroconf.asyncio", module)
    monkeypatch.setattr(discovery, "_address", lambda host: {"0.0.0.0": "192.0.2.7"}[host])
    port = free_port()

    async def conversation():
        server = WyomingServer(pool, scheduler)
        await server.serve(f"tcp://0.0.0.0:{port}", "joe", ready=server.stop)

    asyncio.run(conversation())
    service = {"addresses": [b"\xc0\x00\x02\x07"], "port": port}
    assert announced == [("_wyoming._tcp.local.", "joe._wyoming._tcp.local.", service), "closed"]


def multicast_reaches_this_machine():
    """Whether what is sent to the group of mDNS comes back."""
    with (
        suppress(OSError),
        socket.socket(type=socket.SOCK_DGRAM) as receiver,
        socket.socket(type=socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("", 0))
        group = socket.inet_aton(discovery.GROUP[0]) + socket.inet_aton("0.0.0.0")
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        receiver.settimeout(1)
        sender.sendto(b"x", (discovery.GROUP[0], receiver.getsockname()[1]))
        return receiver.recv(1) == b"x"
    return False


def test_a_browser_of_services_finds_the_server_until_it_ends(pool, scheduler):
    pytest.importorskip("zeroconf")
    if not multicast_reaches_this_machine():
        pytest.skip("no multicast")
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

    port, name = free_port(), f"test {os.getpid()}.{discovery.SERVICE}"

    async def conversation():
        changes, seen = asyncio.Queue(), AsyncZeroconf()

        def note(zeroconf, service_type, name, state_change):
            changes.put_nowait((name, state_change.name))

        async def change():
            while (found := await asyncio.wait_for(changes.get(), 30))[0] != name:
                pass
            return found[1]

        browser = AsyncServiceBrowser(seen.zeroconf, discovery.SERVICE, handlers=[note])
        server = WyomingServer(pool, scheduler)
        task = asyncio.ensure_future(server.serve(f"tcp://0.0.0.0:{port}", f"test {os.getpid()}"))
        assert await change() == "Added"
        info = AsyncServiceInfo(discovery.SERVICE, name)
        assert await info.async_request(seen.zeroconf, 5000)
        async with AsyncClient.from_uri(f"tcp://{info.parsed_addresses()[0]}:{info.port}") as client:
            await send(client, Describe())
            assert (await client.read_event()).type == "info"
        server.stop()
        assert await change() == "Removed"
        await task
        await browser.async_cancel()
        await seen.async_close()

    asyncio.run(conversation())


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
