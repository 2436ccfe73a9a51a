"""Check the audio of clips before a run: damage, clipping, silence, cancelling channels, and equal recordings."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from hf_vits.data.audio import cancel_each_other, is_fetched, mixed, read_channels
from hf_vits.data.dataset import Clip
from hf_vits.data.filter_report import FilterReport

CLIPPED = "clips whose sound is clipped"
SILENT_ENDS = "clips that begin or end with more than a second of silence"
SILENT = "clips that are silent for most of their time"
CANCELLING = "clips whose channels cancel each other; the louder one is taken"
DAMAGED = "clips whose sound cannot be decoded; others are taken in their place"
UNUSABLE = "text or audio that cannot be read"

FULL_SCALE, MAX_CLIPPED = 0.999, 1e-3
"""Level of a sample at full scale, and share of samples in flat peaks above which a clip is clipped."""

SILENCE, BLOCK_SECONDS = 1e-2, 0.02
"""Loudness below which a block is silent, relative to the loudest one (-40 dB); and seconds of a block."""

MAX_SECONDS = 3600.0
"""Seconds of audio that are checked, in clips spread evenly over the data; this takes some seconds."""


def check_audio(
    rows, clips: Sequence[Clip], texts: str, column: str, rate: int, report: FilterReport, drops: bool = True
) -> list[Clip]:
    """
    Decode clips, up to an hour of audio, and note their faults in the report.

    Args:
        rows (indexable by row number):
            The data set, undecoded.
        clips (`Sequence[Clip]`):
            The rows that are kept.
        texts, column (`str`):
            Names of the columns of text and audio.
        rate (`int`):
            Sampling rate of the model, in which lengths of clips are counted.
        report ([`FilterReport`]):
            Report that counts them.
        drops (`bool`, *optional*, defaults to `True`):
            Whether clips that cannot be decoded are dropped, or only noted.

    Returns:
        `list[Clip]`: the clips that are not dropped.
    """
    whole, report.checked = [], 0
    chosen = set(_spread([clip.num_samples / rate for clip in clips]))
    for number, clip in enumerate(clips):
        row = rows[clip.row] if number in chosen else None
        if row is None or not is_fetched(row[column]):
            whole.append(clip)
            continue
        report.checked += 1
        try:
            _check_clip(row[column], row[texts], clip, rate, report)
            whole.append(clip)
        except ValueError as error:
            if drops:
                report.withdraw(clip.num_samples / rate, UNUSABLE, clip.place, error)
            else:
                report.note(DAMAGED, clip.place, error)
    return whole


def find_faults(channels: np.ndarray, waveform: np.ndarray, rate: int) -> Iterator[tuple[str, str]]:
    """Channels float32 (C, T), their mono mix (T,), hertz -> faults, each with a detail."""
    if (share := _clipped_share(channels)) > MAX_CLIPPED:
        yield CLIPPED, f"{share:.1%} of its samples"
    begin, end, silent = silences(waveform, rate)
    if max(begin, end) > 1:
        yield SILENT_ENDS, f"{begin:.1f} s and {end:.1f} s"
    if silent > 0.5:
        yield SILENT, f"{silent:.0%} of it"
    if cancel_each_other(channels):
        yield CANCELLING, f"{len(channels)} channels"


def _check_clip(source, text: str, clip: Clip, rate: int, report: FilterReport) -> None:
    """Note the faults of one clip; raise `ValueError` if its audio is damaged."""
    channels, own_rate = read_channels(source)
    waveform = mixed(channels, "it")
    if len(waveform) / own_rate < 0.9 * clip.num_samples / rate:
        raise ValueError(f"it holds {len(waveform) / own_rate:.2f} s, not {clip.num_samples / rate:.2f} s")
    for kind, detail in find_faults(channels, waveform, own_rate):
        report.note(kind, clip.place, detail)
    if clip.place not in report.repeated:
        report.compare(f"samples {hashlib.blake2b(channels.tobytes(), digest_size=12).hexdigest()}", text, clip.place)


def _spread(seconds: Sequence[float]) -> list[int]:
    """Return indices of clips, spread evenly, with at most `MAX_SECONDS` in all."""
    total = sum(seconds)
    step = max(1.0, total / MAX_SECONDS)
    return [int(place * step) for place in range(int(len(seconds) / step))] if step > 1 else list(range(len(seconds)))


def _clipped_share(channels: np.ndarray) -> float:
    """Return the share of samples that end three in a row at full scale, or three equal ones at the clip's peak."""
    level = np.abs(channels)
    peak = level.max()
    if channels.shape[1] < 3 or peak < 0.1:
        return 0.0
    full = level >= FULL_SCALE
    equal = (channels[:, 1:] == channels[:, :-1]) & (level[:, 1:] >= 0.98 * peak)
    return float(((full[:, 2:] & full[:, 1:-1] & full[:, :-2]) | (equal[:, 1:] & equal[:, :-1])).mean())


def silences(waveform: np.ndarray, rate: int) -> tuple[float, float, float]:
    """waveform (T,), hertz -> seconds of silence at start and end, and the silent share of the clip."""
    size = max(1, int(BLOCK_SECONDS * rate))
    blocks = waveform[: len(waveform) // size * size].reshape(-1, size)
    if not len(blocks):
        return 0.0, 0.0, 0.0
    loudness = np.sqrt(np.square(blocks, dtype=np.float64).mean(axis=1))
    loud = np.flatnonzero(loudness >= SILENCE * loudness.max())
    return loud[0] * BLOCK_SECONDS, (len(blocks) - 1 - loud[-1]) * BLOCK_SECONDS, 1 - len(loud) / len(blocks)
