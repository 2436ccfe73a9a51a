"""FLAC, MP3 and Opus by libsndfile, which writes to memory while speech is made."""

import os

import numpy as np

from hf_vits.data.audio_writing import OPUS_RATES, WRITTEN_AT_ONCE
from hf_vits.serving.encoders.base import AUDIO_FORMATS, Encoder, to_int16

PAGE_MILLISECONDS = 40.0
"""Sound in a page of Ogg; libsndfile's default, a second, would delay the first sound by as much."""

_SET_PAGE_LATENCY = 0x1302  # SFC_SET_OGG_PAGE_LATENCY_MS in sndfile.h; soundfile has no name for it
_MP3_HEADER = 4


class _Memory:
    """A file in memory from which bytes are taken as they are written; what is written into taken bytes is dropped."""

    def __init__(self):
        self.data, self.taken, self.place = bytearray(), 0, 0

    def take(self) -> bytes:
        """Return the bytes that were written since the last call."""
        data = bytes(self.data)
        self.data.clear()
        self.taken += len(data)
        return data

    def write(self, data: bytes) -> int:
        """Write at the current place."""
        data = bytes(data)
        start = self.place - self.taken
        kept = data[max(0, -start) :]
        start = max(0, start)
        self.data[start : start + len(kept)] = kept
        self.place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Do as a file does."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.taken + len(self.data)}
        self.place = origin[whence] + offset
        return self.place

    def tell(self) -> int:
        """Do as a file does."""
        return self.place

    def read(self, size: int) -> bytes:
        """Return nothing; encoders do not read, but libsndfile wants every method."""
        return b""


class LibsndfileEncoder(Encoder):
    """A format that libsndfile writes."""

    container: str
    subtype: str
    is_lossless = False
    settings: dict = {}

    def __init__(self, sampling_rate: int, is_whole: bool):
        import soundfile

        super().__init__(sampling_rate, is_whole)
        self.memory = _Memory()
        self.file = soundfile.SoundFile(
            self.memory, "w", sampling_rate, 1, self.subtype, format=self.container, **self.settings
        )

    def encode(self, samples: np.ndarray) -> bytes:
        """As every encoder."""
        samples = to_int16(samples) if self.is_lossless else np.clip(samples, -1, 1).astype(np.float32)
        for start in range(0, len(samples), WRITTEN_AT_ONCE):
            self.file.write(samples[start : start + WRITTEN_AT_ONCE])
        return b"" if self.is_whole else self.memory.take()

    def finish(self) -> bytes:
        """As every encoder."""
        self.file.close()
        return self.memory.take()


@AUDIO_FORMATS.register("flac")
class FlacEncoder(LibsndfileEncoder):
    """The samples that WAV has, in about half the bytes."""

    media_type, container, subtype, is_lossless = "audio/flac", "FLAC", "PCM_16", True


@AUDIO_FORMATS.register("opus")
class OpusEncoder(LibsndfileEncoder):
    """
    Opus in Ogg, with 10 ms of silence at the end: libsndfile ends without the last 6.5 ms that its encoder looks ahead.
    """

    media_type, container, subtype = "audio/ogg; codecs=opus", "OGG", "OPUS"
    rates = OPUS_RATES

    def __init__(self, sampling_rate: int, is_whole: bool):
        import soundfile

        super().__init__(sampling_rate, is_whole)
        command = getattr(getattr(soundfile, "_snd", None), "sf_command", None)  # without it, sound begins later
        if command is not None:
            command(self.file._file, _SET_PAGE_LATENCY, soundfile._ffi.new("double *", PAGE_MILLISECONDS), 8)

    def finish(self) -> bytes:
        """As every encoder."""
        return self.encode(np.zeros(self.sampling_rate // 100, np.float32)) + super().finish()


@AUDIO_FORMATS.register("mp3")
class Mp3Encoder(LibsndfileEncoder):
    """
    MP3 of a constant bit rate.

    A whole file begins with a frame of lengths, by which readers cut off what the encoder adds to both ends. A stream
    has none: of a variable bit rate, some readers would infer a shorter length.
    """

    media_type, container, subtype = "audio/mpeg", "MP3", "MPEG_LAYER_III"
    rates = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
    settings = {"bitrate_mode": "CONSTANT", "compression_level": 0.4}

    def __init__(self, sampling_rate: int, is_whole: bool):
        super().__init__(sampling_rate, is_whole)
        self.first: bytes | None = None if is_whole else b""  # until its end is known

    def encode(self, samples: np.ndarray) -> bytes:
        """As every encoder."""
        return self._without_lengths(super().encode(samples))

    def finish(self) -> bytes:
        """As every encoder."""
        return self._without_lengths(super().finish())

    def _without_lengths(self, data: bytes) -> bytes:
        """Leave out the first frame, in which libsndfile keeps place for the lengths: a header, and zeros."""
        if self.first is None:
            return data
        self.first += data
        rest = self.first[_MP3_HEADER:].lstrip(b"\0")
        if not rest:
            return b""
        is_empty = len(self.first) - len(rest) > 2 * _MP3_HEADER
        data, self.first = rest if is_empty else self.first, None
        return data
