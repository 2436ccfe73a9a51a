"""Write audio files atomically, in chunks of any length."""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hf_vits.data.opus_end import LOOKAHEAD, take_back_lookahead
from hf_vits.utils.atomic_file import check_writable, is_special, new_file, storage_errors

if TYPE_CHECKING:
    from soundfile import SoundFile

FORMATS = ("WAV", "FLAC", "OGG", "OPUS", "MP3", "AIFF", "AU", "CAF", "W64")
"""Formats that are written, by the extension of the file's name."""

LOSSY = ("OGG", "OPUS", "MP3")
"""Formats that change the samples."""

OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Sampling rates of Opus; sound of another rate is resampled to the next higher one."""

CONVERTED = {".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".webm", ".mkv", ".aac", ".wma", ".amr"}
"""Extensions of files that other programs can make from those written here."""

STORED = ("float16", "float32", "float64", "int16", "int32")
"""Types of samples that are accepted; full scale is 1, or the largest integer."""

WRITTEN_AT_ONCE = 2**12
"""Samples per call of the encoder. Vorbis puts the samples of the first call on the stack, and threads may have a small
one: 2¹⁸ samples crash a process whose threads have 1 MiB, 2¹⁶ one with 256 KiB."""


def check_output(path: str | Path) -> None:
    """
    Check that an audio file can be written, before there are samples.

    Raises:
        ValueError: for a file name whose extension is no known format.
        ImportError: for Opus without soxr, which resamples to its rates.
        OSError: if the folder does not exist or cannot be written to.
    """
    path = Path(path).expanduser()
    if _format(path) == "OPUS":
        _soxr()
    with storage_errors(path, every=True):
        check_writable(path)


def _format(path: Path) -> str:
    """Return the format of a file name's extension; WAV for a FIFO or a device without one."""
    import soundfile

    known = [name for name in FORMATS if name in soundfile.available_formats() or name in _opus()]
    ending = path.suffix.lstrip(".").upper()
    if ending in known:
        return ending
    if not ending and is_special(path):
        return "WAV"
    endings = ", ".join(f".{name.lower()}" for name in known)
    advice = ""
    if path.suffix.lower() in CONVERTED:
        command = shlex.join(["ffmpeg", "-i", str(path.with_suffix(".wav")), str(path)])
        advice = f" Write a .wav file and convert it: {command}"
    raise ValueError(
        f"{path} ends with {path.suffix!r}, which is no format of sound that is written here; known ones are "
        f"{endings}.{advice}"
    )


def _opus() -> list[str]:
    """Return the name of Opus, a kind of Ogg file, if libsndfile has it."""
    import soundfile

    return ["OPUS"] if "OPUS" in soundfile.available_subtypes("OGG") else []


def _soxr():
    try:
        import soxr
    except ImportError as error:
        raise ImportError(
            "Opus has five sampling rates, and resampling to them needs the package soxr: "
            '`pip install "hf_vits[opus]"`. Without it, write a .ogg (Vorbis) or .mp3 file.'
        ) from error
    return soxr


@contextmanager
def audio_writer(path: str | Path, sampling_rate: int) -> Iterator[Callable[[np.ndarray], None]]:
    """
    Yield a function that appends samples, float (n,) within ±1, to an audio file in the format of its extension.

    The file appears when the block ends without an error; until then an older one stays. Several writers may write one
    path: the last one to end wins. A FIFO or a device is written at the end. Opus is resampled to one of its rates,
    which changes the length to the nearest sample of that rate. Errors as of `check_output`.

    Raises:
        ValueError: for samples that are not finite, not of one channel, or of a type that is not accepted.
        OSError: if the disk is full or refuses them otherwise; names the folder and the cause.
    """
    import soundfile

    path = Path(path).expanduser()
    check_output(path)
    with new_file(path) as staged, staged.open("r+b", buffering=0) as raw:
        sink = _Sink(raw, path)
        kind, rate = _format(path), sampling_rate
        settings = {"format": kind}
        if kind == "OPUS":
            rate = next((known for known in OPUS_RATES if known >= sampling_rate), OPUS_RATES[-1])
            settings = {"format": "OGG", "subtype": "OPUS"}
        with sink.errors():
            file = soundfile.SoundFile(sink, "w", rate, 1, **settings)
        blocks = _Blocks(file, sink) if rate == sampling_rate else _Resampled(file, sink, sampling_rate)
        try:
            yield blocks.write
            blocks.flush()
            if kind == "OPUS":
                blocks.append_silence(LOOKAHEAD * rate // OPUS_RATES[-1])
        except BaseException:
            with suppress(Exception):
                file.close()
            raise
        with sink.errors():
            file.close()
        if kind == "OPUS":
            with staged.open("r+b") as written:
                take_back_lookahead(written)


def write_audio(path: str | Path, waveform: np.ndarray, sampling_rate: int) -> None:
    """Write a waveform, float (T_wav,) within ±1, in the format of the extension; errors as of `audio_writer`."""
    with audio_writer(path, sampling_rate) as write:
        write(waveform)


class _Blocks:
    """Pass blocks of one size to the encoder, whatever the chunks, because its output depends on the first block."""

    def __init__(self, file: "SoundFile", sink: "_Sink"):
        self.file, self.sink, self.rest = file, sink, np.zeros(0, np.float32)

    def write(self, samples: np.ndarray) -> None:
        """Append samples float or int (n,); samples that do not fill a block wait for more."""
        samples = self._checked(np.asarray(samples))
        if samples.dtype != self.rest.dtype:
            self.flush()
        samples = np.concatenate([self.rest, samples]) if len(self.rest) else samples
        whole = len(samples) // WRITTEN_AT_ONCE * WRITTEN_AT_ONCE
        for start in range(0, whole, WRITTEN_AT_ONCE):
            self._encode(samples[start : start + WRITTEN_AT_ONCE])
        self.rest = samples[whole:].copy()

    def flush(self) -> None:
        """Write the waiting samples."""
        if len(self.rest):
            self._encode(self.rest)
        self.rest = self.rest[:0]

    def append_silence(self, samples: int) -> None:
        """Write zeros, at the rate of the file, after everything."""
        _Blocks._encode(self, np.zeros(samples, np.float32))

    def _encode(self, block: np.ndarray) -> None:
        with self.sink.errors():
            self.file.write(block)

    def _checked(self, samples: np.ndarray) -> np.ndarray:
        path = self.sink.path
        if samples.ndim != 1:
            raise ValueError(f"The samples for {path} are {samples.shape}; give those of one channel, (n,).")
        if samples.dtype.name not in STORED:
            raise ValueError(f"The samples for {path} are {samples.dtype.name}; give floats within ±1.")
        if not np.isfinite(samples).all():
            raise ValueError(f"The samples for {path} hold NaN or infinite values, so they were not written.")
        return samples.astype(np.float32) if samples.dtype == np.float16 else samples


class _Resampled(_Blocks):
    """Resample blocks to the rate of the file."""

    def __init__(self, file: "SoundFile", sink: "_Sink", sampling_rate: int):
        super().__init__(file, sink)
        self.stream = _soxr().ResampleStream(sampling_rate, file.samplerate, 1, dtype="float32")

    def flush(self) -> None:
        """Write the waiting samples, and those that the resampler holds."""
        self._encode(self.rest, last=True)
        self.rest = self.rest[:0]

    def _encode(self, block: np.ndarray, last: bool = False) -> None:
        super()._encode(self.stream.resample_chunk(block, last=last))

    def _checked(self, samples: np.ndarray) -> np.ndarray:
        samples = super()._checked(samples)  # of one type from here on, so that `flush` comes once
        scale = 1.0 if samples.dtype.kind == "f" else -float(np.iinfo(samples.dtype).min)
        return (samples / scale).astype(np.float32)


class _Sink:
    """
    A binary file for libsndfile, whose C functions pass no exceptions on: `errors` raises the first one.
    """

    def __init__(self, file: BinaryIO, path: Path):
        self.file, self.path, self.error = file, path, None

    def write(self, data: bytes) -> int:
        """Write all bytes, or none after an error."""
        return self._call(0, self._write, data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Do as a file does."""
        return self._call(0, self.file.seek, offset, whence)

    def tell(self) -> int:
        """Do as a file does."""
        return self._call(0, self.file.tell)

    def read(self, size: int) -> bytes:
        """Do as a file does."""
        return self._call(b"", self.file.read, size)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise the error of the file instead of libsndfile's, which is only "System error"."""
        import soundfile

        try:
            yield
        except (soundfile.LibsndfileError, AssertionError) as error:
            if self.error is None:
                raise OSError(f"{self.path} could not be written: {error}") from error
        if self.error is not None:
            raise self.error

    def _write(self, data: bytes) -> int:
        left = memoryview(data)
        while len(left):
            left = left[self.file.write(left) :]
        return len(data)

    def _call(self, otherwise, call: Callable, *arguments):
        if self.error is None:
            try:
                return call(*arguments)
            except BaseException as error:
                self.error = error
        return otherwise
