"""Sound in every form that data sets hold it, read as mono samples; sound files written whole or not at all."""

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
    "with_content",
    "write_audio",
]


logger = logging.getLogger(__name__)

FULL_SCALE = {"uint8": 2**7, "int16": 2**15, "int32": 2**31}
"""What stands for 1 in samples of integers."""

LOUDEST, QUIETEST = 8.0, 1e-4
"""Peaks beyond which samples are on another scale than ±1, or no sound at all."""

CANCELLED = 0.25
"""Share of the power that independent channels would keep when they are mixed; with less, they cancel each other."""

NAMED_CANCELLING = 5
"""Sources of channels that cancel each other that are named in warnings; there may be a whole corpus of them."""

_cancelling: set[str] = set()


def read_audio(source, sampling_rate: int) -> np.ndarray:
    """
    source -> waveform float32 (T_wav,), mono, at `sampling_rate` in hertz.

    Args:
        source (`str`, `Path`, `bytes`, `dict` or decoder):
            A file's path, address (`hf://…`, `zip://…::…`) or content; `{"bytes", "path"}`, as `datasets` gives
            undecoded audio; `{"array", "sampling_rate"}`; or an object with `get_all_samples()`, as `datasets` gives
            with torchcodec.
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


def with_content(source):
    """
    Return a source with the content of its file, if it is an address, so that it is fetched once; else as it is.

    Raises:
        ValueError: if it cannot be fetched.
    """
    path = source.get("path") if isinstance(source, Mapping) and not source.get("bytes") else source
    return {"bytes": read_remote(path), "path": path} if is_remote(path) else source


def audio_seconds(source) -> float:
    """Length of a source that `read_audio` takes, from its header where it has one; raises `ValueError` likewise, for
    samples only if they need no decoding."""
    if isinstance(source, Mapping) and source.get("array") is not None or hasattr(source, "get_all_samples"):
        samples, rate = _decoded(source)
        return len(_mono(samples, _named(source))) / rate
    with _opened_or_told(source) as file:
        return file_seconds(file, _named(source))


def read_channels(source) -> tuple[np.ndarray, int]:
    """source, as of `read_audio` -> float32 (C, T_wav) as it is stored, about within ±1, and its rate in hertz; raises
    `ValueError` if it cannot be read, or is of a type whose scale is not known."""
    samples, rate = _decoded(source)
    samples = _floats(np.asarray(samples), _named(source))
    if samples.ndim > 2:
        raise ValueError(f"{_named(source)} holds samples of {samples.ndim} dimensions; give (T,) or (channels, T).")
    if samples.ndim < 2:
        return samples.reshape(1, samples.size), rate
    return samples.T if samples.shape[0] > samples.shape[1] else samples, rate  # channels are the shorter axis


def mixed(channels: np.ndarray, name: str) -> np.ndarray:
    """channels float32 (C, T) -> mono (T,), as `read_audio` gives it, without a warning of channels that cancel each
    other; raises `ValueError` for damaged samples, in which the sound is called `name`."""
    return _checked(channels[_loudest(channels)] if cancel_each_other(channels) else channels.mean(axis=0), name)


def is_fetched(source) -> bool:
    """Tell whether the sound of a source is here, and not at an address."""
    return not is_remote(source.get("path") if isinstance(source, Mapping) and not source.get("bytes") else source)


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
    with _opened_or_told(source) as file:
        return file_samples(file, _named(source))


def _mono(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples (T,), or with channels on either axis -> float32 (T,), within about ±1."""
    samples = _floats(np.asarray(samples), name)
    if samples.ndim == 2:
        channels = samples.T if samples.shape[0] > samples.shape[1] else samples  # channels are the shorter axis
        samples = _mixed(channels, name)
    return _checked(samples, name)


def _checked(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples (T,) as they are; raises `ValueError` for none, and for those that are no sound."""
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


def cancel_each_other(channels: np.ndarray) -> bool:
    """Tell whether channels (C, T) lose most of their power when they are mixed, as one and its inverse do."""
    if len(channels) < 2 or not channels.size or not np.isfinite(channels).all():
        return False
    powers, mean = np.square(channels, dtype=np.float64).mean(axis=1), channels.mean(axis=0)
    return bool(np.square(mean, dtype=np.float64).mean() < CANCELLED * powers.sum() / len(channels) ** 2)


def _mixed(channels: np.ndarray, name: str) -> np.ndarray:
    """channels (C, T) -> their mean (T,), or the one of most power if they cancel each other."""
    if not cancel_each_other(channels):
        return channels.mean(axis=0)
    loudest = _loudest(channels)
    if name not in _cancelling and len(_cancelling) < NAMED_CANCELLING:
        _cancelling.add(name)
        last = " Further ones are not named." if len(_cancelling) == NAMED_CANCELLING else ""
        logger.warning(
            f"{name}: its {len(channels)} channels cancel each other when they are mixed (one is inverted), so channel "
            f"{loudest + 1} alone is taken.{last}"
        )
    return channels[loudest]


def _loudest(channels: np.ndarray) -> int:
    return int(np.square(channels, dtype=np.float64).mean(axis=1).argmax())


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
    """A binary file of a path or an address, of bytes, or of `{"bytes", "path"}`."""
    if isinstance(source, Mapping):
        source = source.get("bytes") or source.get("path")
    if is_remote(source):
        source = read_remote(source)
    if not isinstance(source, str | Path | bytes | bytearray):
        raise ValueError(f"The audio is {source!r:.100}; give a path, the bytes of a file, or samples with their rate.")
    return io.BytesIO(source) if isinstance(source, bytes | bytearray) else open(require_file(source), "rb")


def _opened_or_told(source):
    try:
        return _opened(source)
    except OSError as error:
        raise ValueError(f"{_named(source)} cannot be read: {error}") from error


def _named(source) -> str:
    if isinstance(source, Mapping):
        source = source.get("path") or "The audio"
    return str(source) if isinstance(source, str | Path) else "The audio"
