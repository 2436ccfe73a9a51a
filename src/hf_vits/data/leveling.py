"""Bring speech to a loudness, and limit its true peak, without holding it in memory."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hf_vits.data.loudness import TAPS, LoudnessMeter, true_peaks
from hf_vits.utils.atomic_file import storage_errors

CEILING = 10 ** (-1 / 20)
"""Largest true peak: -1 dB, which leaves lossy formats room for their error."""

LOUDNESS_RANGE = (-50.0, -12.0)
"""LUFS that can be asked for; louder speech would be mostly the work of the limiter."""

WINDOW_SECONDS = 0.01
"""Time before and after a peak in which the limiter lowers the gain."""

MAX_GAIN = 10 ** (40 / 20)

PASSES, TOLERANCE = 8, 0.05
"""Times that the gain is corrected for what the limiter takes away, and the LU that are left as they are."""

BLOCK = 2**16
"""Samples that are read at once."""


def normalize_loudness(waveform: np.ndarray, sampling_rate: int, loudness: float) -> np.ndarray:
    """
    Scale a waveform to a loudness; a limiter keeps its true peak at -1 dB.

    The limiter lowers the gain smoothly around peaks that would exceed it, and no sample does. Silence stays as it is.

    Args:
        waveform (`np.ndarray` of shape `(T_wav,)`):
            Within ±1.
        sampling_rate (`int`):
            Samples per second.
        loudness (`float`):
            LUFS, -50 to -12: -16 for podcasts, -23 for broadcasts by EBU R 128.

    Returns:
        `np.ndarray` of shape `(T_wav,)`, float32.

    Raises:
        ValueError: for a loudness out of range.

    Example:

    ```python
    >>> import numpy as np
    >>> from hf_vits.data.leveling import normalize_loudness
    >>> from hf_vits.data.loudness import integrated_loudness

    >>> tone = 0.01 * np.sin(np.arange(32_000))
    >>> round(integrated_loudness(normalize_loudness(tone, 16_000, -23), 16_000), 1)
    -23.0
    ```
    """
    check_loudness(loudness)
    samples = np.asarray(waveform, np.float32)
    return np.concatenate([samples[:0], *_leveled(lambda: iter([samples]), sampling_rate, loudness)])


def check_loudness(loudness: float) -> None:
    """Raise `ValueError` for a loudness that cannot be asked for."""
    least, most = LOUDNESS_RANGE
    if not least <= loudness <= most:
        raise ValueError(f"The loudness is {loudness:g} LUFS; it must be {least:g} to {most:g}, such as -16 or -23.")


@contextmanager
def leveled_writer(
    write: Callable[[np.ndarray], object], sampling_rate: int, loudness: float, folder: Path | None
) -> Iterator[Callable[[np.ndarray], None]]:
    """
    Yield a function that appends samples, float or integer (n,); at the end of the block, all are written at their new
    loudness.

    Args:
        write (`Callable`):
            Takes the leveled samples, chunk by chunk.
        sampling_rate (`int`):
            Samples per second.
        loudness (`float`):
            LUFS.
        folder (`Path`, *optional*):
            Where the samples are kept until then, 4 bytes each, in a file without a name. By default the system's.

    Raises:
        OSError: if the disk is full; names the folder.
    """
    with storage_errors(folder or tempfile.gettempdir()), tempfile.TemporaryFile(dir=folder) as file:

        def append(samples: np.ndarray) -> None:
            scale = 1 if samples.dtype.kind == "f" else -float(np.iinfo(samples.dtype).min)
            file.write((samples / scale).astype(np.float32).tobytes())

        yield append
        for block in _leveled(lambda: _blocks(file), sampling_rate, loudness):
            write(block)


def _blocks(file: BinaryIO) -> Iterator[np.ndarray]:
    file.seek(0)
    while content := file.read(4 * BLOCK):
        yield np.frombuffer(content, np.float32)


def _leveled(read: Callable[[], Iterator[np.ndarray]], rate: int, loudness: float) -> Iterator[np.ndarray]:
    """Yield the samples of `read()`, which can be called again, at a loudness: float32 (n,)."""
    gain, reached = 1.0, _loudness(read(), rate)
    for _ in range(PASSES):
        if not np.isfinite(reached) or abs(loudness - reached) < TOLERANCE:
            break
        gain = min(MAX_GAIN, gain * 10 ** ((loudness - reached) / 20))
        reached = _loudness(_limited(read(), rate, gain), rate)
    yield from _limited(read(), rate, gain)


def _loudness(blocks: Iterator[np.ndarray], rate: int) -> float:
    meter = LoudnessMeter(rate)
    for block in blocks:
        meter.add(block)
    return meter.loudness


def _limited(blocks: Iterator[np.ndarray], rate: int, gain: float) -> Iterator[np.ndarray]:
    """
    Yield the samples of blocks with a gain, lowered where peaks would exceed the ceiling.

    The gain at a sample is a weighted mean of minima around it, each of which covers that sample. So it is nowhere
    higher than what the sample allows, and it changes smoothly.
    """
    distance = max(1, round(WINDOW_SECONDS * rate))
    context = 2 * distance + TAPS  # that decides on the gain of a sample, to either side
    window = np.hanning(2 * distance + 3)[1:-1]
    window /= window.sum()
    held = np.zeros(context)
    for block in _and_then(blocks, np.zeros(context)):
        held = np.concatenate([held, gain * block.astype(np.float64)])
        size = len(held) - 2 * context
        if size <= 0:
            continue
        sound = held[context : context + size]
        allowed = np.minimum(1.0, CEILING / np.maximum(true_peaks(held), CEILING))
        if allowed.min() < 1:
            lowest = _running_minimum(allowed, distance)
            sound = sound * np.convolve(lowest, window, "same")[context : context + size]
        held = held[size:]
        yield np.clip(sound, -CEILING, CEILING).astype(np.float32)  # for rounding errors only


def _and_then(blocks: Iterator[np.ndarray], last: np.ndarray) -> Iterator[np.ndarray]:
    yield from blocks
    yield last


def _running_minimum(values: np.ndarray, distance: int) -> np.ndarray:
    """values (n,) -> the least of each and its neighbors within `distance`, from minima of blocks and of their ends."""
    size = 2 * distance + 1
    rest = -(len(values) + 2 * distance) % size
    padded = np.pad(values, (distance, distance + rest), constant_values=1.0).reshape(-1, size)
    forward = np.minimum.accumulate(padded, axis=1).reshape(-1)
    backward = np.minimum.accumulate(padded[:, ::-1], axis=1)[:, ::-1].reshape(-1)
    return np.minimum(backward[: len(values)], forward[size - 1 : size - 1 + len(values)])
