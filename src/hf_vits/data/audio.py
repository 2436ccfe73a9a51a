"""Read audio in every form of a data set as mono samples; write audio files atomically."""

import io
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hf_vits.data.audio_reading import file_samples, file_seconds, is_remote, read_remote
from hf_vits.data.audio_writing import FORMATS, audio_writer, check_output, write_audio
from hf_vits.utils.files import require_file

__all__ = [
    "FORMATS",
    "audio_seconds",
    "audio_writer",
    "cancel_each_other",
    "check_output",
    "is_fetched",
    "mixed",
    "read_audio",
    "read_channels",
    "resample",
    "with_content",
    "write_audio",
]


logger = logging.getLogger(__name__)

FULL_SCALE = {"uint8": 2**7, "int16": 2**15, "int32": 2**31}
"""Full scale of integer samples."""

MAX_PEAK, MIN_PEAK = 8.0, 1e-4
"""Peaks above and below which samples are not on the scale ±1, or are silent."""

CANCELLED_POWER = 0.25
"""Share of the power of a mix of independent channels below which channels cancel each other."""

MAX_CANCELLING_WARNINGS = 5
"""Largest number of warnings about sources whose channels cancel each other; a whole corpus may be like that."""

_cancelling: set[str] = set()


def read_audio(source, sampling_rate: int) -> np.ndarray:
    """
    Read a source -> waveform float32 (T_wav,), mono, at `sampling_rate` in hertz.

    Args:
        source (`str`, `Path`, `bytes`, `dict` or decoder):
            A file's path, address (`hf://…`, `zip://…::…`) or content; `{"bytes", "path"}`, as `datasets` gives
            undecoded audio; `{"array", "sampling_rate"}`; or an object with `get_all_samples()`, as `datasets` gives
            with torchcodec.
        sampling_rate (`int`):
            Rate to resample to.

    Raises:
        ValueError: if it cannot be read, or holds no samples, silence, or samples that are not finite or on an unknown
            scale.
    """
    samples, rate = _decoded(source)
    return resample(_mono(samples, _named(source)), rate, sampling_rate)


def resample(waveform: np.ndarray, sampling_rate: int, target: int) -> np.ndarray:
    """waveform float32 (T_wav,) at `sampling_rate` in hertz -> the same at `target` in hertz."""
    if sampling_rate == target or not waveform.size:
        return waveform
    import librosa

    return librosa.resample(waveform, orig_sr=sampling_rate, target_sr=target, res_type="soxr_hq")


def with_content(source):
    """
    Return a source with the content of its file if it is an address, to fetch it only once; other sources unchanged.

    Raises:
        ValueError: if it cannot be fetched.
    """
    path = source.get("path") if isinstance(source, Mapping) and not source.get("bytes") else source
    return {"bytes": read_remote(path), "path": path} if is_remote(path) else source


def audio_seconds(source) -> float:
    """Return the seconds of a source of `read_audio`, from its header if it has one; errors as of `read_audio`, except
    for errors that only decoding shows."""
    if isinstance(source, Mapping) and source.get("array") is not None or hasattr(source, "get_all_samples"):
        samples, rate = _decoded(source)
        return len(_mono(samples, _named(source))) / rate
    with _open_or_raise(source) as file:
        return file_seconds(file, _named(source))


def read_channels(source) -> tuple[np.ndarray, int]:
    """Read a source of `read_audio` -> its channels float32 (C, T_wav), about within ±1, and its rate in hertz; raise
    `ValueError` if it cannot be read, or has a type whose scale is unknown."""
    samples, rate = _decoded(source)
    samples = _floats(np.asarray(samples), _named(source))
    if samples.ndim > 2:
        raise ValueError(f"{_named(source)} holds samples of {samples.ndim} dimensions; give (T,) or (channels, T).")
    if samples.ndim < 2:
        return samples.reshape(1, samples.size), rate
    return samples.T if samples.shape[0] > samples.shape[1] else samples, rate  # channels are the shorter axis


def mixed(channels: np.ndarray, name: str) -> np.ndarray:
    """channels float32 (C, T) -> mono (T,), as of `read_audio`, without a warning of channels that cancel each other;
    raise `ValueError` for damaged samples, with `name` in its message."""
    return _checked(channels[_loudest(channels)] if cancel_each_other(channels) else channels.mean(axis=0), name)


def is_fetched(source) -> bool:
    """Return True unless a source is an address."""
    return not is_remote(source.get("path") if isinstance(source, Mapping) and not source.get("bytes") else source)


def _decoded(source) -> tuple[np.ndarray, int]:
    """Return samples (T,) or with channels on either axis, and their rate."""
    if hasattr(source, "get_all_samples"):
        samples = source.get_all_samples()
        return samples.data.numpy(), int(samples.sample_rate)
    if isinstance(source, Mapping) and source.get("array") is not None:
        rate = source.get("sampling_rate")
        if not isinstance(rate, int | float | np.number) or not 0 < rate < np.inf:
            raise ValueError(f"{_named(source)} has the `sampling_rate` {rate!r}; give that of its `array`, in hertz.")
        return np.asarray(source["array"]), int(rate)
    with _open_or_raise(source) as file:
        return file_samples(file, _named(source))


def _mono(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples (T,), or with channels on either axis -> float32 (T,), within about ±1."""
    samples = _floats(np.asarray(samples), name)
    if samples.ndim == 2:
        channels = samples.T if samples.shape[0] > samples.shape[1] else samples  # channels are the shorter axis
        samples = _mixed(channels, name)
    return _checked(samples, name)


def _checked(samples: np.ndarray, name: str) -> np.ndarray:
    """Return samples (T,) unchanged; raise `ValueError` for none, silent or damaged ones."""
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"{name} holds no samples.")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name} holds samples that are NaN or infinite.")
    peak = np.abs(samples).max()
    if peak > MAX_PEAK:
        raise ValueError(f"{name} holds samples up to {peak:g}; scale them to ±1, those of 16 bits by 1/32768.")
    if peak < MIN_PEAK:
        raise ValueError(f"{name} holds no sound: its samples, where ±1 is full scale, are within ±{peak:g}.")
    return samples


def cancel_each_other(channels: np.ndarray) -> bool:
    """Return True if channels (C, T) lose most of their power when mixed, as one and its inverse do."""
    if len(channels) < 2 or not channels.size or not np.isfinite(channels).all():
        return False
    powers, mean = np.square(channels, dtype=np.float64).mean(axis=1), channels.mean(axis=0)
    return bool(np.square(mean, dtype=np.float64).mean() < CANCELLED_POWER * powers.sum() / len(channels) ** 2)


def _mixed(channels: np.ndarray, name: str) -> np.ndarray:
    """channels (C, T) -> their mean (T,), or the one of most power if they cancel each other."""
    if not cancel_each_other(channels):
        return channels.mean(axis=0)
    loudest = _loudest(channels)
    if name not in _cancelling and len(_cancelling) < MAX_CANCELLING_WARNINGS:
        _cancelling.add(name)
        last = " Further ones are not named." if len(_cancelling) == MAX_CANCELLING_WARNINGS else ""
        logger.warning(
            f"{name}: its {len(channels)} channels cancel each other when they are mixed (one is inverted), so channel "
            f"{loudest + 1} alone is taken.{last}"
        )
    return channels[loudest]


def _loudest(channels: np.ndarray) -> int:
    return int(np.square(channels, dtype=np.float64).mean(axis=1).argmax())


def _floats(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples of an audio type -> float32 of the same shape, full scale ±1."""
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


def _open(source):
    """Open a path or an address, bytes, or `{"bytes", "path"}` as a binary file."""
    if isinstance(source, Mapping):
        source = source.get("bytes") or source.get("path")
    if is_remote(source):
        source = read_remote(source)
    if not isinstance(source, str | Path | bytes | bytearray):
        raise ValueError(f"The audio is {source!r:.100}; give a path, the bytes of a file, or samples with their rate.")
    return io.BytesIO(source) if isinstance(source, bytes | bytearray) else open(require_file(source), "rb")


def _open_or_raise(source):
    try:
        return _open(source)
    except OSError as error:
        raise ValueError(f"{_named(source)} cannot be read: {error}") from error


def _named(source) -> str:
    if isinstance(source, Mapping):
        source = source.get("path") or "The audio"
    return str(source) if isinstance(source, str | Path) else "The audio"
