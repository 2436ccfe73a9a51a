"""The HTTP application: OpenAI's routes for speech, and what programs around a server ask for."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.middleware.cors import CORSMiddleware

from hf_vits.serving.answers import EncodedChunk, EventAnswer, SpeechAnswer, TimedAnswer, WholeAnswer, encoded_chunks
from hf_vits.serving.bodies import MODELS, VOICES, SpeechBody, unused_header
from hf_vits.serving.encoders.base import AUDIO_FORMATS, available_formats, make_encoder
from hf_vits.serving.errors import ApiError, add_error_handlers, api_error
from hf_vits.serving.guard import Guard
from hf_vits.serving.held_memory import HeldMemory, Share
from hf_vits.serving.metrics import Metrics, Observation
from hf_vits.serving.page import add_page
from hf_vits.serving.scheduling import QueueFullError, Scheduler
from hf_vits.serving.settings import ServerSettings
from hf_vits.serving.voice_pool import SPEAKER_MARK, SpeechRequest, VoicePool

EXPOSED = ("X-Seed", "X-Voice", "X-Sample-Rate", "X-Unused-Fields", "Retry-After")
"""Headers of answers that web pages of other origins may read."""

SEED_BITS = 48
"""Size of seeds that are drawn for requests without one; JavaScript has whole numbers of 53 bits."""

WHOLE_FORMATS = ("flac",)
"""Formats that are sent whole by default, as common readers take no stream of theirs, which lacks its length."""

routes = APIRouter()


def seconds_of(item: Any) -> float:
    """Return what a chunk of an answer counts in the queue: its seconds of speech."""
    return getattr(item, "seconds", 1.0)


def create_app(pool: VoicePool, scheduler: Scheduler, settings: ServerSettings | None = None) -> FastAPI:
    """
    Return the application.

    Args:
        pool ([`VoicePool`]):
            The voices. Their configurations are read now, so that no request reads a file.
        scheduler ([`Scheduler`]):
            Made with `cost=seconds_of`. It is closed with the application.
        settings ([`ServerSettings`], *optional*):
            Limits and options.

    Raises:
        OSError, ValueError: for a voice that cannot be read.
    """
    settings = settings or ServerSettings()
    app = FastAPI(title="hf_vits", docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.pool, app.state.scheduler, app.state.settings = pool, scheduler, settings
    app.state.metrics, app.state.voices = Metrics(pool, scheduler), list(_described(pool))
    app.state.held = HeldMemory(settings.max_whole_bytes)
    app.state.formats, app.state.created = available_formats(), int(time.time())
    add_error_handlers(app)
    app.include_router(routes)
    add_page(app)
    app.add_middleware(Guard, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=list(EXPOSED),
        )
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(app.state.scheduler.close)


def _described(pool: VoicePool) -> Iterator[dict[str, Any]]:
    """Yield an entry for each voice, and for each named speaker of it."""
    for name in pool.names:
        config = pool.config(name)
        entry = {
            "sampling_rate": config.sampling_rate,
            "noise_scale": config.noise_scale,
            "languages": pool.languages(name),
            "aliases": sorted(alias for alias, voice in pool.aliases.items() if voice == name),
        }
        speakers = list(config.speaker_names or ())
        yield {"id": name, "name": name, **entry, "num_speakers": config.num_speakers, "speakers": speakers}
        for speaker in speakers if config.num_speakers > 1 else ():
            full = f"{name}{SPEAKER_MARK}{speaker}"
            yield {"id": full, "name": f"{name}, {speaker}", **entry, "num_speakers": 1, "speakers": [speaker]}


@routes.post("/v1/audio/speech", response_class=Response)
async def speak(body: SpeechBody, request: Request) -> Response:
    """Speak a text; the fields are those of OpenAI's API and those of the reference."""
    state = request.app.state
    try:
        body.check(state.settings)
        seed = secrets.randbits(SEED_BITS) if body.seed is None else body.seed
        wanted = body.request(state.pool, seed)
        name, _ = state.pool.find(wanted.voice)
        answer, is_whole = _kind(body)
        target = body.sample_rate or state.settings.sample_rate
        encoder = partial(make_encoder, body.format, is_whole=is_whole, target=target)
        job = state.pool.submit(state.scheduler, partial(_work, wanted=wanted, is_whole=is_whole, encoder=encoder))
    except Exception as error:
        if isinstance(error, QueueFullError):
            state.metrics.requests.labels("queue_full").inc()
        return api_error(error).response()
    rate = AUDIO_FORMATS[body.format].nearest_rate(target or state.pool.config(name).sampling_rate)
    headers = {"X-Seed": str(seed), "X-Voice": _ascii(name), "X-Sample-Rate": str(rate), **unused_header(body.unused)}
    headers |= {"Content-Type": _media_type(answer, body), "Cache-Control": "no-store"}
    observation = Observation(state.metrics, name, len(body.input))
    return answer(job, observation, state.settings, Share(state.held, rate), headers)


def _kind(body: SpeechBody) -> tuple[type[SpeechAnswer], bool]:
    """Return the kind of the answer, and whether it is a whole file."""
    is_whole = body.format in WHOLE_FORMATS if body.stream is None else not body.stream
    if body.stream_format == "sse":
        return EventAnswer, False
    if body.timestamps:
        return TimedAnswer, True
    return (WholeAnswer, True) if is_whole else (SpeechAnswer, False)


def _media_type(answer: type[SpeechAnswer], body: SpeechBody) -> str:
    special = {EventAnswer: "text/event-stream; charset=utf-8", TimedAnswer: "application/json"}
    return special.get(answer) or AUDIO_FORMATS[body.format].media_type


def _work(pool: VoicePool, wanted: SpeechRequest, is_whole: bool, encoder: partial) -> Iterator[EncodedChunk]:
    return encoded_chunks(pool.speak(wanted, is_whole), encoder)


def _ascii(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode("ascii")


@routes.get("/v1/models")
async def list_models(request: Request) -> dict[str, Any]:
    """List the voices, and OpenAI's models, which leave the choice to `voice`."""
    names = [*request.app.state.pool.names, *MODELS]
    return {"object": "list", "data": [_model(name, request) for name in names]}


@routes.get("/v1/models/{name:path}")
async def show_model(name: str, request: Request) -> Response:
    """Describe one model."""
    if name not in (*request.app.state.pool.names, *request.app.state.pool.aliases, *MODELS):
        return ApiError(404, f"There is no model {name[:60]!r}.", "model_not_found", "model").response()
    return JSONResponse(_model(name, request))


def _model(name: str, request: Request) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": request.app.state.created, "owned_by": "hf_vits"}


@routes.get("/v1/audio/voices")
async def list_voices(request: Request) -> dict[str, Any]:
    """List voices and speakers, OpenAI's names that stand for the first voice, formats, and the longest text."""
    state = request.app.state
    others = [name for name in VOICES if name not in state.pool.aliases and name not in state.pool.names]
    limits = {"formats": state.formats, "max_characters": state.settings.max_characters}
    return {"voices": state.voices, "default_names": others, **limits}


@routes.get("/health")
async def health(request: Request) -> Response:
    """Say that the server answers, and how busy it is; 503 while it shuts down."""
    scheduler, pool = request.app.state.scheduler, request.app.state.pool
    content = {"status": "shutting down" if scheduler.is_closing else "ok", "jobs": scheduler.jobs}
    content |= {"max_jobs": scheduler.max_jobs, "voices": pool.names, "loaded": pool.loaded}
    return JSONResponse(content, 503 if scheduler.is_closing else 200)


@routes.get("/metrics")
async def metrics(request: Request) -> Response:
    """Return counters in the format of Prometheus."""
    return Response(request.app.state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
