"""AAC in ADTS frames by PyAV, which brings its own FFmpeg."""

import io
from fractions import Fraction

import numpy as np

from hf_vits.serving.encoders.base import AUDIO_FORMATS, Encoder

BITS_PER_SECOND = 96_000


@AUDIO_FORMATS.register("aac")
class AacEncoder(Encoder):
    """AAC-LC. Its first frame holds samples of silence that the encoder needs; ADTS cannot say so to readers."""

    media_type, package = "audio/aac", "av"
    rates = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

    def __init__(self, sampling_rate: int, is_whole: bool):
        import av

        super().__init__(sampling_rate, is_whole)
        self.memory, self.samples, self.frame = io.BytesIO(), 0, av.AudioFrame
        self.file = av.open(self.memory, "w", format="adts")
        self.stream = self.file.add_stream("aac", rate=sampling_rate, layout="mono", bit_rate=BITS_PER_SECOND)

    def encode(self, samples: np.ndarray) -> bytes:
        """As every encoder."""
        rows = np.clip(samples, -1, 1).astype(np.float32)[None]
        frame = self.frame.from_ndarray(np.ascontiguousarray(rows), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = (
            self.sampling_rate,
            self.samples,
            Fraction(1, self.sampling_rate),
        )
        self.samples += len(samples)
        self.file.mux(self.stream.encode(frame))
        return b"" if self.is_whole else self._taken()

    def finish(self) -> bytes:
        """As every encoder."""
        self.file.mux(self.stream.encode(None))
        self.file.close()
        return self._taken()

    def _taken(self) -> bytes:
        data = self.memory.getvalue()
        self.memory.seek(0)
        self.memory.truncate()
        return data
