"""Look at the sound of clips before a run: damage, clipping, silence, cancelling channels, and equal recordings."""

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

FULL_SCALE, MOST_CLIPPED = 0.999, 1e-3
"""The level of a sample at full scale, and the share of samples in flat peaks above which a clip is clipped."""

SILENCE, PIECE = 1e-2, 0.02
"""Of a piece's loudness, that of the loudest one being 1, below which it is silent (-40 dB); and its seconds."""

MOST_SECONDS = 3600.0
"""Sound that is looked at, of clips spread evenly over the data: some seconds of work."""


def check_audio(
    rows, clips: Sequence[Clip], texts: str, column: str, rate: int, report: FilterReport, drops: bool = True
) -> list[Clip]:
    """
    Decode clips, up to an hour of sound, and note what is odd about them in the report.

    Args:
        rows (indexable by row number):
            The data set, undecoded.
        clips (`Sequence[Clip]`):
            Those of its rows that are kept.
        texts, column (`str`):
            Names of the columns of text and sound.
        rate (`int`):
            Hertz of the voice, in which the lengths of clips are counted.
        report ([`FilterReport`]):
            Where they are counted.
        drops (`bool`, *optional*, defaults to `True`):
            Whether clips whose sound cannot be decoded are dropped, or noted too.

    Returns:
        `list[Clip]`: the clips that are not dropped.
    """
    whole, report.listened = [], 0
    chosen = set(_spread([clip.num_samples / rate for clip in clips]))
    for number, clip in enumerate(clips):
        row = rows[clip.row] if number in chosen else None
        if row is None or not is_fetched(row[column]):
            whole.append(clip)
            continue
        report.listened += 1
        try:
            _look_at(row[column], row[texts], clip, rate, report)
            whole.append(clip)
        except ValueError as error:
            if drops:
                report.withdraw(clip.num_samples / rate, UNUSABLE, clip.place, error)
            else:
                report.note(DAMAGED, clip.place, error)
    return whole


def remarks_on(channels: np.ndarray, waveform: np.ndarray, rate: int) -> Iterator[tuple[str, str]]:
    """Channels float32 (C, T), their mono mixture (T,), hertz -> kinds of remarks, each with a detail."""
    if (share := _clipped_share(channels)) > MOST_CLIPPED:
        yield CLIPPED, f"{share:.1%} of its samples"
    begin, end, silent = _silences(waveform, rate)
    if max(begin, end) > 1:
        yield SILENT_ENDS, f"{begin:.1f} s and {end:.1f} s"
    if silent > 0.5:
        yield SILENT, f"{silent:.0%} of it"
    if cancel_each_other(channels):
        yield CANCELLING, f"{len(channels)} channels"


def _look_at(source, text: str, clip: Clip, rate: int, report: FilterReport) -> None:
    """Note what is odd about one clip; raise `ValueError` if its sound is damaged."""
    channels, own_rate = read_channels(source)
    waveform = mixed(channels, "it")
    if len(waveform) / own_rate < 0.9 * clip.num_samples / rate:
        raise ValueError(f"it holds {len(waveform) / own_rate:.2f} s, not {clip.num_samples / rate:.2f} s")
    for kind, detail in remarks_on(channels, waveform, own_rate):
        report.note(kind, clip.place, detail)
    if clip.place not in report.repeated:
        report.compare(f"samples {hashlib.blake2b(channels.tobytes(), digest_size=12).hexdigest()}", text, clip.place)


def _spread(seconds: Sequence[float]) -> list[int]:
    """Places of clips, spread evenly, of at most `MOST_SECONDS` together; all if they are no longer."""
    total = sum(seconds)
    step = max(1.0, total / MOST_SECONDS)
    return [int(place * step) for place in range(int(len(seconds) / step))] if step > 1 else list(range(len(seconds)))


def _clipped_share(channels: np.ndarray) -> float:
    """The share of samples that end three in a row at full scale, or three equal ones at the clip's peak."""
    level = np.abs(channels)
    peak = level.max()
    if channels.shape[1] < 3 or peak < 0.1:
        return 0.0
    full = level >= FULL_SCALE
    equal = (channels[:, 1:] == channels[:, :-1]) & (level[:, 1:] >= 0.98 * peak)
    return float(((full[:, 2:] & full[:, 1:-1] & full[:, :-2]) | (equal[:, 1:] & equal[:, :-1])).mean())


def _silences(waveform: np.ndarray, rate: int) -> tuple[float, float, float]:
    """Seconds of silence at the beginning and the end, and the silent share of the whole."""
    size = max(1, int(PIECE * rate))
    pieces = waveform[: len(waveform) // size * size].reshape(-1, size)
    if not len(pieces):
        return 0.0, 0.0, 0.0
    loudness = np.sqrt(np.square(pieces, dtype=np.float64).mean(axis=1))
    loud = np.flatnonzero(loudness >= SILENCE * loudness.max())
    return loud[0] * PIECE, (len(pieces) - 1 - loud[-1]) * PIECE, 1 - len(loud) / len(pieces)
