"""A server at a socket, and what the package's own client sends and receives."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

from hf_vits.serving.wyoming import WyomingServer


@asynccontextmanager
async def serving(uri, pool, scheduler, **options):
    """Serves in this event loop during the block; yields the server."""
    server, ready = WyomingServer(pool, scheduler, **options), asyncio.Event()
    task = asyncio.ensure_future(server.serve(uri, ready=ready.set))
    await asyncio.wait([task, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield server
    finally:
        server.stop()
        await task


async def answers(client, last):
    """The events up to the first one of a kind, or up to an error or the end of the connection."""
    events = []
    while (event := await asyncio.wait_for(client.read_event(), 30)) is not None:
        events.append(event)
        if event.type in (last, "error"):
            break
    return events


async def said(uri, *events, last="audio-stop"):
    """Sends events in a connection of their own -> the events of the answer."""
    async with AsyncClient.from_uri(uri) as client:
        for event in events:
            await client.write_event(event if not hasattr(event, "event") else event.event())
        return await answers(client, last)


async def whole(uri, text, **fields):
    return await said(uri, Synthesize(text, **fields))


async def in_chunks(uri, text, size=1, compatible=True, **fields):
    """As Home Assistant sends it: the whole text too, which a server that knows chunks ignores."""
    events = [SynthesizeStart(**fields), *(SynthesizeChunk(text[i : i + size]) for i in range(0, len(text), size))]
    events += [Synthesize(text)] if compatible else []
    return await said(uri, *events, SynthesizeStop(), last="synthesize-stopped")


def sound(events):
    """Samples of the events of one answer, whose order and formats are checked."""
    kinds = [event.type for event in events if not SynthesizeStopped.is_type(event.type)]
    assert kinds == ["audio-start", *["audio-chunk"] * (len(kinds) - 2), "audio-stop"], kinds
    start = AudioStart.from_event(events[0])
    assert (start.width, start.channels, start.timestamp) == (2, 1, 0)
    samples = np.zeros(0, "<i2")
    for event in events[1 : len(kinds) - 1]:
        chunk = AudioChunk.from_event(event)
        assert (chunk.rate, chunk.width, chunk.channels) == (start.rate, 2, 1) and 0 < chunk.samples <= 1024
        assert chunk.timestamp == 1000 * len(samples) // start.rate
        samples = np.append(samples, np.frombuffer(chunk.audio, "<i2"))
    assert AudioStop.from_event(events[len(kinds) - 1]).timestamp == 1000 * len(samples) // start.rate
    return samples


def rounded(audio):
    """What 16 bits hold of samples."""
    return np.round(np.clip(audio, -1, 1) * 32767).astype("<i2")
