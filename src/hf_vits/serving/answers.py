"""Answers to requests for speech: bytes of a file, events, or JSON, made from the chunks of a job."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from hf_vits.serving.encoders.base import Encoder
from hf_vits.serving.errors import ApiError, api_error
from hf_vits.serving.guard import Message, Receive, Send
from hf_vits.serving.held_memory import Share
from hf_vits.serving.metrics import Observation
from hf_vits.serving.scheduling import Job
from hf_vits.serving.settings import ServerSettings

logger = logging.getLogger(__name__)


@dataclass
class EncodedChunk:
    """Encoded bytes of a chunk of speech, its seconds, and its timestamps and the marks of SSML if there are any."""

    data: bytes
    seconds: float = 0.0
    timestamps: Any = None
    marks: list[dict[str, Any]] | None = None


def encoded_chunks(chunks: Iterable[dict[str, Any]], make_encoder: Callable[[int], Encoder]) -> Iterator[EncodedChunk]:
    """
    Encode chunks of speech.

    Args:
        chunks (`Iterable[dict]`):
            As [`VoicePool.speak`] yields them.
        make_encoder (`Callable`):
            Returns the encoder for a sampling rate.
    """
    encoder = None
    for chunk in chunks:
        encoder = make_encoder(chunk["sampling_rate"]) if encoder is None else encoder
        data = encoder.encode(chunk["audio"]) if len(chunk["audio"]) else b""
        seconds = len(chunk["audio"]) / chunk["sampling_rate"]
        yield EncodedChunk(data, seconds, chunk.get("timestamps"), chunk.get("marks"))
    if encoder is not None:
        yield EncodedChunk(encoder.finish())


def joined(parts: list[Any]) -> Any:
    """Return the timestamps of all chunks: a list, or lists by unit."""
    if parts and isinstance(parts[0], dict):
        return {unit: [time for part in parts for time in part[unit]] for unit in parts[0]}
    return [time for part in parts for time in part]


class SpeechAnswer(Response):
    """
    Send what a job makes. The status is sent after the first chunk, so that a text that cannot be spoken is an error.

    A client that goes away, stops reading or takes too long ends the job.

    Args:
        job ([`Job`]):
            Yields [`EncodedChunk`]s.
        observation ([`Observation`]):
            What is counted.
        settings ([`ServerSettings`]):
            Limits of time.
        share ([`Share`]):
            What it may hold in memory.
        headers (`dict[str, str]`):
            Headers of the answer, with the content type.
    """

    def __init__(
        self, job: Job, observation: Observation, settings: ServerSettings, share: Share, headers: dict[str, str]
    ):
        self.status_code, self.background = 200, None
        self.init_headers(headers)  # without a body, so that there is no length in them
        self.job, self.observation, self.settings, self.share = job, observation, settings, share
        self.has_begun = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer; returns without the end of the body where the answer cannot be completed."""
        with self.job, self.observation, self.share:
            tasks = [asyncio.ensure_future(task) for task in (self._answered(scope, receive, send), _left(receive))]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=self.settings.request_seconds)
                answer = tasks[0]
                if answer.done():
                    self.observation.outcome = await answer
                elif not tasks[1].done():
                    self.observation.outcome = "timed_out"
                    logger.warning("An answer was not complete within %g s.", self.settings.request_seconds)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _answered(self, scope: Message, receive: Receive, send: Send) -> str:
        """Send the answer; return how it ended."""
        try:
            async for data in self.content():
                await self._send(send, data)
        except TimeoutError:
            return "stalled"
        except Exception as raised:
            error = api_error(raised)
            if not self.has_begun:
                await error.response()(scope, receive, send)
                return "refused" if error.status < 500 else "failed"
            logger.error("A stream ends early: %s", error)
            if last := self.failure(error):
                await self._send(send, last, more=False)
            return "failed"
        await self._send(send, b"", more=False)
        return "complete"

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the bytes of the body; the status is sent with the first of them, which may be empty."""
        async for chunk in self._chunks():
            yield chunk.data

    def failure(self, error: ApiError) -> bytes:
        """Return what says in the body that the rest is missing, if the format has a way to say so."""
        return b""

    async def _chunks(self) -> AsyncIterator[EncodedChunk]:
        async for chunk in self.job:
            if chunk.seconds:
                self.observation.made(chunk.seconds)
            yield chunk

    async def _all_chunks(self) -> list[EncodedChunk]:
        """Return the chunks of an answer that is held until it is complete."""
        made = []
        async for chunk in self._chunks():
            self.share.add(chunk.seconds)
            made.append(chunk)
        return made

    async def _send(self, send: Send, data: bytes, more: bool = True) -> None:
        async with asyncio.timeout(self.settings.stall_seconds):
            if not self.has_begun:
                self.has_begun = True
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if data or not more:
                await send({"type": "http.response.body", "body": data, "more_body": more})


class WholeAnswer(SpeechAnswer):
    """The bytes at once, with their number in a header."""

    async def content(self) -> AsyncIterator[bytes]:
        """As every answer."""
        data = b"".join([chunk.data for chunk in await self._all_chunks() if chunk.data])
        self.headers["content-length"] = str(len(data))
        yield data


class TimedAnswer(SpeechAnswer):
    """JSON with the file in base64 and the timestamps."""

    async def content(self) -> AsyncIterator[bytes]:
        """As every answer."""
        data = await asyncio.to_thread(self._document, await self._all_chunks())
        self.headers["content-length"] = str(len(data))
        yield data

    def _document(self, made: list[EncodedChunk]) -> bytes:
        times = joined([chunk.timestamps for chunk in made if chunk.timestamps is not None])
        marks = [mark for chunk in made for mark in chunk.marks or ()]
        rest = json.dumps({"timestamps": times, "marks": marks}).encode("ascii")
        audio = base64.b64encode(b"".join([chunk.data for chunk in made if chunk.data]))
        return b"".join([b'{"audio": "', audio, b'", ', rest[1:]])  # without the copies that `json` would make


class EventAnswer(SpeechAnswer):
    """Server-sent events, as OpenAI's `stream_format="sse"`, with the timestamps of what begins in each chunk."""

    async def content(self) -> AsyncIterator[bytes]:
        """As every answer."""
        seconds = 0.0
        async for chunk in self._chunks():
            seconds += chunk.seconds
            event = {"type": "speech.audio.delta", "audio": base64.b64encode(chunk.data).decode("ascii")}
            if chunk.timestamps is not None:
                event["timestamps"] = chunk.timestamps
            if chunk.marks:
                event["marks"] = chunk.marks
            if chunk.data or chunk.timestamps or chunk.marks:
                yield _event(event)
        tokens = {"input_tokens": self.observation.characters, "output_tokens": round(1000 * seconds)}
        usage = {**tokens, "total_tokens": sum(tokens.values())}
        yield _event({"type": "speech.audio.done", "usage": usage})

    def failure(self, error: ApiError) -> bytes:
        """As every answer."""
        return _event({"type": "error", **error.content()})


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


async def _left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
