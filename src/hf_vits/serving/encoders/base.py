"""The registry of audio formats, what an encoder has to do, and the sampling rates of formats that have few."""

from abc import ABC, abstractmethod
from importlib.util import find_spec

import numpy as np

from hf_vits.utils.registry import Registry

AUDIO_FORMATS: "Registry[type[Encoder]]" = Registry(
    "audio format",
    {
        "wav": "hf_vits.serving.encoders.uncompressed",
        "pcm": "hf_vits.serving.encoders.uncompressed",
        "flac": "hf_vits.serving.encoders.libsndfile",
        "mp3": "hf_vits.serving.encoders.libsndfile",
        "opus": "hf_vits.serving.encoders.libsndfile",
        "aac": "hf_vits.serving.encoders.aac",
    },
)
"""Encoders by the name that a request gives; register your own with `@AUDIO_FORMATS.register("name")`."""

RATES = (8_000, 48_000)
"""Smallest and largest sampling rate that a request may ask for."""


class Encoder(ABC):
    """
    Turn chunks of speech into the bytes of a file.

    Args:
        sampling_rate (`int`):
            That of the samples.
        is_whole (`bool`):
            True to return all bytes at the end, with a header that gives the length, instead of as they are made.
    """

    media_type: str
    """Content type of the bytes."""

    package: str | None = None
    """Package that the format needs, and that may be missing."""

    rates: tuple[int, ...] | None = None
    """Sampling rates of the format, in ascending order, or None for any."""

    def __init__(self, sampling_rate: int, is_whole: bool):
        self.sampling_rate, self.is_whole = sampling_rate, is_whole

    @abstractmethod
    def encode(self, samples: np.ndarray) -> bytes:
        """samples float32 (n,), n > 0 -> the bytes that are complete; empty if the answer is whole."""

    @abstractmethod
    def finish(self) -> bytes:
        """Return the last bytes, or all of them if the answer is whole."""

    @classmethod
    def is_available(cls) -> bool:
        """Return True if the packages of the format are installed."""
        return cls.package is None or find_spec(cls.package) is not None

    @classmethod
    def nearest_rate(cls, sampling_rate: int) -> int:
        """Return the rate itself if the format has it, else the next higher one, else the highest."""
        return next((rate for rate in cls.rates or (sampling_rate,) if rate >= sampling_rate), (cls.rates or (0,))[-1])


def available_formats() -> list[str]:
    """Return the names of the formats that can be encoded here."""
    return [name for name in AUDIO_FORMATS if AUDIO_FORMATS[name].is_available()]


def make_encoder(name: str, sampling_rate: int, is_whole: bool, target: int | None = None) -> Encoder:
    """
    Return an encoder for samples of a voice.

    Args:
        name (`str`):
            Format.
        sampling_rate (`int`):
            That of the voice.
        is_whole (`bool`):
            As in [`Encoder`].
        target (`int`, *optional*):
            Sampling rate of the file; by default the voice's own, or the nearest one that the format has.
    """
    kind = AUDIO_FORMATS[name]
    rate = kind.nearest_rate(target or sampling_rate)
    encoder = kind(rate, is_whole)
    return encoder if rate == sampling_rate else _Resampling(encoder, sampling_rate)


class _Resampling(Encoder):
    """Resample for another encoder; chunks equal the whole."""

    def __init__(self, encoder: Encoder, sampling_rate: int):
        import soxr

        super().__init__(encoder.sampling_rate, encoder.is_whole)
        self.encoder, self.media_type = encoder, encoder.media_type
        self.stream = soxr.ResampleStream(sampling_rate, encoder.sampling_rate, 1, dtype="float32")

    def encode(self, samples: np.ndarray) -> bytes:
        """As every encoder."""
        resampled = self.stream.resample_chunk(samples)
        return self.encoder.encode(resampled) if len(resampled) else b""

    def finish(self) -> bytes:
        """As every encoder."""
        rest = self.stream.resample_chunk(np.zeros(0, np.float32), last=True)
        return (self.encoder.encode(rest) if len(rest) else b"") + self.encoder.finish()


def to_int16(samples: np.ndarray) -> np.ndarray:
    """float (n,) -> int16 (n,), clipped to ±1 and rounded."""
    return np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
