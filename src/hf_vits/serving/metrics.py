"""Count requests and speech of a server, in the format of Prometheus."""

import time
from types import TracebackType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hf_vits.serving.scheduling import Scheduler
from hf_vits.serving.voice_pool import VoicePool

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Bounds of the histograms."""


class Metrics:
    """Counters of one application; labels have few values, none of which a client can invent."""

    def __init__(self, pool: VoicePool, scheduler: Scheduler):
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hf_vits_speech_requests", "Answers, by how they ended.", ["outcome"], registry=self.registry
        )
        self.characters = Counter("hf_vits_characters", "Characters of accepted texts.", registry=self.registry)
        self.audio = Counter("hf_vits_audio_seconds", "Speech that was made.", ["voice"], registry=self.registry)
        self.first = Histogram(
            "hf_vits_first_chunk_seconds", "From request to first chunk.", registry=self.registry, buckets=SECONDS
        )
        self.whole = Histogram(
            "hf_vits_request_seconds", "From request to the end.", registry=self.registry, buckets=SECONDS
        )
        Gauge("hf_vits_jobs", "Unfinished requests.", registry=self.registry).set_function(lambda: scheduler.jobs)
        Gauge("hf_vits_max_jobs", "Most requests at once.", registry=self.registry).set(scheduler.max_jobs)
        Gauge("hf_vits_loaded_voices", "Voices in memory.", registry=self.registry).set_function(
            lambda: len(pool.loaded)
        )

    def text(self) -> bytes:
        """Return the page that Prometheus reads."""
        return generate_latest(self.registry)


class Observation:
    """
    The times and the outcome of one request; its block ends with the answer.

    Args:
        metrics ([`Metrics`]):
            Where they are counted.
        voice (`str`):
            Name of the voice.
        characters (`int`):
            Length of the text.
    """

    def __init__(self, metrics: Metrics, voice: str, characters: int):
        self.metrics, self.voice, self.characters = metrics, voice, characters
        self.began, self.outcome, self.is_first = time.monotonic(), "disconnected", True
        metrics.characters.inc(characters)

    def made(self, seconds: float) -> None:
        """Count a chunk of so many seconds of speech."""
        if self.is_first:
            self.metrics.first.observe(time.monotonic() - self.began)
        self.is_first = False
        self.metrics.audio.labels(self.voice).inc(seconds)

    def __enter__(self) -> "Observation":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.metrics.requests.labels(self.outcome).inc()
        self.metrics.whole.observe(time.monotonic() - self.began)
