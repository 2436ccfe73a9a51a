"""Sound in every form that data sets hold it, read as mono samples; sound files written whole or not at all."""

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

FORMATS = ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64")
"""What is written, by the ending of the file's name."""


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
        ValueError: if it cannot be read, holds no samples, or samples that are not finite.
    """
    samples, rate = _decoded(source)
    samples = np.asarray(samples)
    if samples.dtype.kind in "iu":
        samples = samples / np.iinfo(samples.dtype).max
    samples = samples.astype(np.float32)
    if samples.ndim == 2:
        samples = samples.mean(axis=int(samples.shape[0] > samples.shape[1]))  # channels are the shorter axis
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"{_named(source)} holds no samples.")
    if not np.isfinite(samples).all():
        raise ValueError(f"{_named(source)} holds samples that are NaN or infinite.")
    if rate != sampling_rate:
        import librosa

        samples = librosa.resample(samples, orig_sr=rate, target_sr=sampling_rate, res_type="soxr_hq")
    return samples


def audio_seconds(source) -> float:
    """Length of a source that `read_audio` takes, from its header where it has one; raises `ValueError` likewise."""
    if isinstance(source, Mapping) and source.get("array") is not None or hasattr(source, "get_all_samples"):
        samples, rate = _decoded(source)
        return max(np.shape(samples), default=0) / rate
    import soundfile

    try:
        with _opened(source) as file:
            info = soundfile.info(file)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise ValueError(f"{_named(source)} cannot be read: {error}") from error
    return info.frames / info.samplerate


def _decoded(source) -> tuple[np.ndarray, int]:
    """Samples (T,) or with channels on either axis, and their rate."""
    if hasattr(source, "get_all_samples"):
        samples = source.get_all_samples()
        return samples.data.numpy(), int(samples.sample_rate)
    if isinstance(source, Mapping) and source.get("array") is not None:
        return np.asarray(source["array"]), int(source["sampling_rate"])
    import soundfile

    try:
        with _opened(source) as file:
            return soundfile.read(file, dtype="float32")
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise ValueError(f"{_named(source)} cannot be read: {error}") from error


def _opened(source):
    """A binary file of a path, of bytes, or of `{"bytes", "path"}`."""
    if isinstance(source, Mapping):
        source = source.get("bytes") or source.get("path")
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


def write_audio(path: str | Path, waveform: np.ndarray, sampling_rate: int) -> None:
    """waveform float (T_wav,) within ±1, hertz -> a file in the format its name ends with; errors of `check_output`."""
    import soundfile

    check_output(path)
    path = Path(path)
    beside = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        soundfile.write(beside, waveform, sampling_rate, format=path.suffix.lstrip(".").upper())
        os.replace(beside, path)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{path} could not be written: {error}") from error
    finally:
        beside.unlink(missing_ok=True)
