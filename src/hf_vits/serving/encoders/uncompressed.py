"""WAV and samples without a header: 16-bit integers, little-endian, mono."""

import struct

import numpy as np

from hf_vits.serving.encoders.base import AUDIO_FORMATS, Encoder, to_int16

UNKNOWN = 0xFFFFFFFF
"""Size in the header of a WAV stream whose length is not known yet, which readers take as "to the end"."""


@AUDIO_FORMATS.register("pcm")
class PcmEncoder(Encoder):
    """Samples alone."""

    media_type = "audio/pcm"

    def __init__(self, sampling_rate: int, is_whole: bool):
        super().__init__(sampling_rate, is_whole)
        self.kept: list[bytes] = []

    def encode(self, samples: np.ndarray) -> bytes:
        """As every encoder."""
        data = to_int16(samples).tobytes()
        if not self.is_whole:
            return data
        self.kept.append(data)
        return b""

    def finish(self) -> bytes:
        """As every encoder."""
        data = b"".join(self.kept)
        self.kept.clear()
        return data


@AUDIO_FORMATS.register("wav")
class WavEncoder(PcmEncoder):
    """A RIFF file; a stream says in its header that its length is unknown."""

    media_type = "audio/wav"
    has_header = False

    def encode(self, samples: np.ndarray) -> bytes:
        """As every encoder."""
        header = b"" if self.has_header or self.is_whole else self.header(UNKNOWN)
        self.has_header = True
        return header + super().encode(samples)

    def finish(self) -> bytes:
        """As every encoder."""
        if self.is_whole:
            self.kept.insert(0, self.header(sum(map(len, self.kept))))
        return super().finish()

    def header(self, size: int) -> bytes:
        """Return the 44 bytes before samples of `size` bytes."""
        form = struct.pack("<IHHIIHH", 16, 1, 1, self.sampling_rate, 2 * self.sampling_rate, 2, 16)
        whole = min(size + 36, UNKNOWN)
        return struct.pack("<4sI4s4s", b"RIFF", whole, b"WAVE", b"fmt ") + form + struct.pack("<4sI", b"data", size)
