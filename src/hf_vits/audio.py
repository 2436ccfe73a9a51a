"""Sound in every form that data sets hold it, read as mono samples; sound files written whole or not at all."""

import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

FORMATS = ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64")
"""What is written, by the ending of the file's name."""

FULL_SCALE = {"uint8": 2**7, "int16": 2**15, "int32": 2**31}
"""What stands for 1 in samples of integers."""

LOUDEST, QUIETEST = 8.0, 1e-4
"""Peaks beyond which samples are on another scale than ±1, or no sound at all."""


def read_audio(source, sampling_rate: int) -> np.ndarray:
    """
    source -> waveform float32 (T_wav,), mono, at `sampling_rate` in hertz.

    Args:
        source (`str`, `Path`, `bytes`, `dict` or decoder):
            A file's path or content; `{"bytes", "path"}`, as `datasets` gives undecoded audio; `{"array",
            "sampling_rate"}`; or an object with `get_all_samples()`, as `datasets` gives with torchcodec.
        sampling_rate (`int`):
            What to resample to.

    Raises:
        ValueError: if it cannot be read, or holds no samples, no sound, or samples that are not finite or on a scale
            that is not known.
    """
    samples, rate = _decoded(source)
    waveform = _mono(samples, _named(source))
    if rate != sampling_rate:
        import librosa

        waveform = librosa.resample(waveform, orig_sr=rate, target_sr=sampling_rate, res_type="soxr_hq")
    return waveform


def audio_seconds(source) -> float:
    """Length of a source that `read_audio` takes, from its header where it has one; raises `ValueError` likewise, for
    samples only if they need no decoding."""
    if isinstance(source, Mapping) and source.get("array") is not None or hasattr(source, "get_all_samples"):
        samples, rate = _decoded(source)
        return len(_mono(samples, _named(source))) / rate
    import soundfile

    try:
        with _opened(source) as file:
            info = soundfile.info(file)
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(f"{_named(source)} cannot be read: {error}") from error
    return info.frames / info.samplerate


def _decoded(source) -> tuple[np.ndarray, int]:
    """Samples (T,) or with channels on either axis, and their rate."""
    if hasattr(source, "get_all_samples"):
        samples = source.get_all_samples()
        return samples.data.numpy(), int(samples.sample_rate)
    if isinstance(source, Mapping) and source.get("array") is not None:
        rate = source.get("sampling_rate")
        if not isinstance(rate, int | float | np.number) or not 0 < rate < np.inf:
            raise ValueError(f"{_named(source)} has the `sampling_rate` {rate!r}; give that of its `array`, in hertz.")
        return np.asarray(source["array"]), int(rate)
    import soundfile

    try:
        with _opened(source) as file:
            return soundfile.read(file, dtype="float32")
    except (soundfile.LibsndfileError, OSError) as error:
        raise ValueError(f"{_named(source)} cannot be read: {error}") from error


def _mono(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples (T,), or with channels on either axis -> float32 (T,), within about ±1."""
    samples = _floats(np.asarray(samples), name)
    if samples.ndim == 2:
        samples = samples.mean(axis=int(samples.shape[0] > samples.shape[1]))  # channels are the shorter axis
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"{name} holds no samples.")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name} holds samples that are NaN or infinite.")
    peak = np.abs(samples).max()
    if peak > LOUDEST:
        raise ValueError(f"{name} holds samples up to {peak:g}; scale them to ±1, those of 16 bits by 1/32768.")
    if peak < QUIETEST:
        raise ValueError(f"{name} holds no sound: its samples, where ±1 is full scale, are within ±{peak:g}.")
    return samples


def _floats(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples of a type in which sound is stored -> float32 of the same shape, full scale ±1."""
    kind = samples.dtype.name
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    if kind not in FULL_SCALE:
        raise ValueError(
            f"{name} holds samples of the type {kind}, whose full scale is not known (`datasets` gives integers of any "
            f"size as int64). Give floats within ±1, as `array / 32768` of 16 bits, or {', '.join(FULL_SCALE)}."
        )
    silence = FULL_SCALE[kind] if samples.dtype.kind == "u" else 0
    return ((samples.astype(np.float64) - silence) / FULL_SCALE[kind]).astype(np.float32)


def _opened(source):
    """A binary file of a path, of bytes, or of `{"bytes", "path"}`."""
    if isinstance(source, Mapping):
        source = source.get("bytes") or source.get("path")
    if not isinstance(source, str | Path | bytes | bytearray):
        raise ValueError(f"The audio is {source!r:.100}; give a path, the bytes of a file, or samples with their rate.")
    return io.BytesIO(source) if isinstance(source, bytes | bytearray) else open(source, "rb")


def _named(source) -> str:
    if isinstance(source, Mapping):
        source = source.get("path") or "The audio"
    return str(source) if isinstance(source, str | Path) else "The audio"


def check_output(path: str | Path) -> None:
    """
    Whether a sound can be written there, before there is one.

    Raises:
        ValueError: for a file name whose ending is no known format.
        OSError: if the folder does not exist or cannot be written to.
    """
    import soundfile

    path = Path(path)
    known = [name for name in FORMATS if name in soundfile.available_formats()]
    if path.suffix.lstrip(".").upper() not in known:
        endings = ", ".join(f".{name.lower()}" for name in known)
        raise ValueError(f"{path} ends with {path.suffix!r}, which is no format of sound; known ones are {endings}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}; make it, or write elsewhere.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"The folder {path.parent} may not be written to; write elsewhere.")


@contextmanager
def audio_writer(path: str | Path, sampling_rate: int) -> Iterator[Callable[[np.ndarray], None]]:
    """
    A function that appends samples, float (n,) within ±1, to a sound file, in the format that its name ends with.

    The file appears when the block is left without an error; until then an older one stays. Errors of `check_output`.
    """
    import soundfile

    check_output(path)
    path = Path(path)
    beside = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        with soundfile.SoundFile(beside, "w", sampling_rate, 1, format=path.suffix.lstrip(".").upper()) as file:
            yield file.write
        os.replace(beside, path)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{path} could not be written: {error}") from error
    finally:
        beside.unlink(missing_ok=True)


def write_audio(path: str | Path, waveform: np.ndarray, sampling_rate: int) -> None:
    """waveform float (T_wav,) within ±1, hertz -> a file in the format its name ends with; errors of `check_output`."""
    with audio_writer(path, sampling_rate) as write:
        write(waveform)
