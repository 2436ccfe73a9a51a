"""Answer one client of the Wyoming protocol: whole texts, and texts that arrive in chunks."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Info
from wyoming.ping import Pong
from wyoming.server import AsyncEventHandler
from wyoming.tts import SynthesizeStopped

from hf_vits.serving.encoders.base import to_int16
from hf_vits.serving.scheduling import QueueFullError, Scheduler, SchedulerClosedError
from hf_vits.serving.voice_pool import SpeechRequest, VoicePool, make_generator
from hf_vits.serving.wyoming.events import MAX_DATA, EventError, read_event
from hf_vits.serving.wyoming.information import choose_voice
from hf_vits.ssml import is_ssml as is_document
from hf_vits.text.errors import NoTokensError
from hf_vits.text.sentence_stream import SentenceStream
from hf_vits.utils.formatting import quoted

logger = logging.getLogger(__name__)

SAMPLES = 1024
"""Most samples of an event, as other servers send them; some players have small buffers."""

BYTES_OF_CHARACTER = 12
"""Most bytes of a character in JSON: an escaped surrogate pair."""

FORMATS = (None, "text", "ssml")


@dataclass
class Service:
    """
    The voices, scheduler and settings that all clients share.

    Args:
        pool ([`VoicePool`]), scheduler ([`Scheduler`]):
            The voices, and the queue.
        info (`wyoming.info.Info`):
            The answer to `describe`.
        request ([`SpeechRequest`]):
            Pause, seed, speed and noise of every request; the speaker is that of the first voice.
        max_characters (`int`):
            Longest text.
        idle_seconds (`float`):
            Time for a client to send its next event, or to take the next one.
        is_closing (`bool`, *optional*, defaults to `False`):
            True during shutdown: only what has begun is answered.
    """

    pool: VoicePool
    scheduler: Scheduler
    info: Info
    request: SpeechRequest
    max_characters: int
    idle_seconds: float
    is_closing: bool = False

    @property
    def max_data(self) -> int:
        """Most bytes of the data of an event: those of the longest text, and of what is beside it."""
        return min(BYTES_OF_CHARACTER * self.max_characters + 2**16, MAX_DATA)


@dataclass
class _Stream:
    """A text that arrives in chunks, and whether it must be an SSML document."""

    request: SpeechRequest
    sentences: SentenceStream
    is_ssml: bool
    characters: int = 0


class SpeechHandler(AsyncEventHandler):
    """
    Answer the events of one client in their order.

    A mistake is answered with `error`, after which the connection ends: Home Assistant waits for the end of the audio
    or of the connection. So does one that sends nothing for a long time. What is no event of text-to-speech is ignored.
    """

    def __init__(self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        super().__init__(reader, writer)
        self.service = service
        self._stream: _Stream | None = None
        self._waiting: asyncio.Timeout | None = None  # for the next event
        self._rate: int | None = None  # of the audio that has started
        self._samples = 0

    async def run(self) -> None:
        """Answer events until the client goes away or makes a mistake, or the server closes."""
        try:
            while (event := await self._next_event()) is not None and await self.handle_event(event):
                pass
        except EventError as error:
            await self.refuse(error)
        except (OSError, asyncio.IncompleteReadError) as error:
            logger.debug("A client has gone: %r", error)
        finally:
            self.writer.close()

    def finish(self) -> None:
        """Let a connection on which nothing is being answered end now; others do so after their answer."""
        if self._waiting is not None and self._is_over:
            self._waiting.reschedule(0)

    @property
    def _is_over(self) -> bool:
        """True if the server closes and no text is half received or spoken."""
        return self.service.is_closing and self._stream is None

    async def _next_event(self) -> Event | None:
        """Return the next event; None at the end of the stream, or if no more are answered."""
        seconds = self.service.idle_seconds
        try:
            async with asyncio.timeout(0 if self._is_over else seconds) as self._waiting:
                return await read_event(self.reader, self.service.max_data)
        except TimeoutError as error:
            if self._is_over:
                return None
            raise EventError(f"No event was complete within {seconds:g} s; connect again for the next one.") from error
        finally:
            self._waiting = None

    async def handle_event(self, event: Event) -> bool:
        """Answer an event; return False to end the connection."""
        answer = ANSWERS.get(event.type)
        try:
            if answer is not None:
                await answer(self, event.data)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            if not isinstance(error, ValueError | OSError | ImportError | RuntimeError):
                logger.exception("A request failed")
            await self.refuse(error)
            return False
        return True

    async def refuse(self, error: Exception) -> None:
        """Send an error, and log it."""
        logger.warning("A request was refused: %s", error)
        with suppress(OSError):  # the client may have gone
            await self.write_event(Error(text=str(error), code=type(error).__name__).event())

    async def write_event(self, event: Event) -> None:
        """Send an event; `TimeoutError` if the client takes nothing for a long time."""
        async with asyncio.timeout(self.service.idle_seconds):
            await super().write_event(event)

    async def _describe(self, data: dict[str, Any]) -> None:
        await self.write_event(self.service.info.event())

    async def _ping(self, data: dict[str, Any]) -> None:
        text = data.get("text")
        await self.write_event(Pong(text if isinstance(text, str) else None).event())

    async def _synthesize(self, data: dict[str, Any]) -> None:
        if self._stream is not None:  # the whole text once more, for servers that do not know chunks
            return
        request, is_ssml = self._request(data)
        await self._speak(self._checked(replace(request, text=self._text(data)), is_ssml))
        await self._end_audio(request)

    async def _start(self, data: dict[str, Any]) -> None:
        request, is_ssml = self._request(data)
        if request.seed is not None:  # sentences continue each other, as in a whole text
            request = replace(request, seed=make_generator(request.seed))
        language = request.language or next(iter(self.service.pool.languages(request.voice)), None)
        self._stream = _Stream(request, SentenceStream(language), is_ssml)

    async def _chunk(self, data: dict[str, Any]) -> None:
        stream, text = self._open_stream(), self._text(data)
        stream.characters += len(text)
        self._check_length(stream.characters)
        await self._speak_sentences(stream, stream.sentences.add(text))

    async def _stop(self, data: dict[str, Any]) -> None:
        stream = self._open_stream()
        await self._speak_sentences(stream, stream.sentences.finish())
        self._stream = None
        await self._end_audio(stream.request)
        await self.write_event(SynthesizeStopped().event())

    def _request(self, data: dict[str, Any]) -> tuple[SpeechRequest, bool]:
        """Return a request without its text, and whether that is SSML."""
        if self.service.is_closing:
            raise SchedulerClosedError("The server is shutting down and accepts no more requests.")
        voice, kind = data.get("voice") or {}, data.get("text_format")
        if not isinstance(voice, dict) or not all(isinstance(value, str | None) for value in voice.values()):
            raise ValueError(f"`voice` is {quoted(voice)}; it must be an object with a name, language or speaker.")
        if kind not in FORMATS:
            raise ValueError(f"`text_format` is {quoted(kind)}; it must be 'text' or 'ssml'.")
        chosen = choose_voice(self.service.pool, voice)
        if "speaker" not in chosen and chosen["voice"] != self.service.request.voice:
            chosen["speaker"] = None
        return replace(self.service.request, **chosen), kind == "ssml"

    def _text(self, data: dict[str, Any]) -> str:
        text = data.get("text")
        if not isinstance(text, str):
            raise ValueError(f"`text` is {quoted(text)}; it must be a string.")
        self._check_length(len(text))
        return text

    def _check_length(self, characters: int) -> None:
        if characters > self.service.max_characters:
            most = self.service.max_characters
            raise ValueError(f"The text has {characters:,} characters; at most {most:,} are read at once.")

    def _checked(self, request: SpeechRequest, is_ssml: bool) -> SpeechRequest:
        if is_ssml and not is_document(request.text):
            raise ValueError("The text is no SSML document: it does not begin with <speak>.")
        return request

    def _open_stream(self) -> _Stream:
        if self._stream is None:
            raise ValueError("There is no open stream; send `synthesize-start` first.")
        return self._stream

    async def _speak_sentences(self, stream: _Stream, sentences: list[str]) -> None:
        for sentence in sentences:
            await self._speak(self._checked(replace(stream.request, text=sentence), stream.is_ssml))

    async def _speak(self, request: SpeechRequest) -> None:
        """Send the audio of a text as it is made, after a pause if there was some before; a text without anything to
        speak, such as an emoji, has none."""
        pause = None if self._rate is None else round(request.pause * self._rate)
        with await self._submit(lambda: self.service.pool.speak(request)) as job:
            try:
                async for chunk in job:
                    if self._rate is None:
                        await self._begin_audio(chunk["sampling_rate"])
                    if pause:
                        await self._send(np.zeros(pause, "<i2"))
                    pause = None
                    await self._send(to_int16(chunk["audio"]))
            except NoTokensError as error:
                logger.warning("%s", error)

    async def _submit(self, make: Callable) -> Any:
        """Submit a job; wait for a place in the queue if this text is already being spoken."""
        while True:
            try:
                return self.service.scheduler.submit(make)
            except QueueFullError as error:
                if self._rate is None:
                    raise
                await asyncio.sleep(error.retry_after)

    async def _begin_audio(self, rate: int) -> None:
        self._rate, self._samples = rate, 0
        await self.write_event(AudioStart(rate, 2, 1, timestamp=0).event())

    async def _end_audio(self, request: SpeechRequest) -> None:
        if self._rate is None:
            await self._begin_audio(self.service.pool.config(request.voice).sampling_rate)
        await self.write_event(AudioStop(timestamp=self._milliseconds()).event())
        self._rate = None

    async def _send(self, samples: np.ndarray) -> None:
        for start in range(0, len(samples), SAMPLES):
            part = samples[start : start + SAMPLES]
            time = self._milliseconds()
            await self.write_event(AudioChunk(self._rate, 2, 1, audio=part.tobytes(), timestamp=time).event())
            self._samples += len(part)

    def _milliseconds(self) -> int:
        return 1000 * self._samples // self._rate


ANSWERS = {
    "describe": SpeechHandler._describe,
    "ping": SpeechHandler._ping,
    "synthesize": SpeechHandler._synthesize,
    "synthesize-start": SpeechHandler._start,
    "synthesize-chunk": SpeechHandler._chunk,
    "synthesize-stop": SpeechHandler._stop,
}
"""The method for each event."""
