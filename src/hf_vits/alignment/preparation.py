"""Prepare recordings for training: resample, trim, scale, cut into sentences, and drop what is wrong, with reasons."""

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from hf_vits.alignment.aligner import ForcedAligner
from hf_vits.alignment.result import Alignment
from hf_vits.alignment.rows import Row, adapt_to, load_rows
from hf_vits.alignment.settings import PreparationSettings
from hf_vits.conversion.resolve import resolve_voice
from hf_vits.data.audio import read_audio, write_audio
from hf_vits.data.filter_report import FilterReport
from hf_vits.data.joining import trimmed
from hf_vits.data.levels import speech_level
from hf_vits.data.metadata_folder import EVAL_LISTS, METADATA
from hf_vits.utils.atomic_folder import destination, new_folder, refuse_existing, refuse_losing

logger = logging.getLogger(__name__)

USUAL_RATE, MAX_PEAK = 22_050, 0.99
"""Rate of the result without a voice, and largest sample after scaling."""

WINDOW_SECONDS = 0.02
"""Window of a pause whose level is compared: recordings are cut in the quietest one between two sentences."""

MIN_CLIP_SECONDS = 1.5
"""Sentences are joined to the next one up to this length: clips of single words train little."""

WRONG_TEXT = "text that does not fit its sound"


@dataclass(frozen=True)
class PreparedClip:
    """A clip to write: samples (T,), text, and confidence of its alignment if there is one."""

    samples: np.ndarray
    text: str
    confidence: float | None = None


@dataclass
class PreparationReport:
    """Counts of what was kept and dropped, and each drop as row, text, reason and detail."""

    counts: FilterReport = field(default_factory=FilterReport)
    dropped: list[tuple[str, str, str, str]] = field(default_factory=list)
    cut: int = 0

    def drop(self, row: Row, text: str, reason: str, detail: object = "") -> None:
        """Note a row or a part of it that is left out."""
        self.counts.drop(reason, f"{row.place} ({row.name})", detail)
        self.dropped.append((row.name, text, reason, str(detail)))

    def __str__(self) -> str:
        cut = f"\n{self.cut} long recordings were cut into sentences." if self.cut else ""
        return f"{self.counts}{cut}"


class _Dropped(ValueError):
    """A row that is left out; its arguments are the reason and a detail."""


def prepare_folder(recordings: str, settings: PreparationSettings) -> PreparationReport:
    """
    Make a folder of recordings that `hf-vits train --dataset_name` takes; whole, or not at all.

    Recordings are resampled, trimmed and brought to one level. With a voice, those that do not say their text are
    dropped, and long ones are cut into their sentences; without one, long ones are dropped.

    Args:
        recordings (`str`):
            A folder or data set that `hf-vits train` takes; it is not changed.
        settings ([`PreparationSettings`]):
            Output folder, voice, limits.

    Returns:
        [`PreparationReport`]: also in `report.txt` and `dropped.csv` of the folder.

    Raises:
        FileExistsError: if the output folder holds anything and `overwrite` is not set.
        FileNotFoundError, ValueError: for data without recordings or texts, if nothing is left, or for a voice without
            a posterior encoder.

    Example:

    ```python
    >>> from hf_vits.alignment import PreparationSettings, prepare_folder

    >>> print(prepare_folder("recordings", PreparationSettings("prepared", "completed_voice")))  # doctest: +SKIP
    ```
    """
    folder = destination(settings.output)
    refuse_losing(folder, recordings)
    refuse_existing(folder, settings.overwrite)
    rows = load_rows(recordings, settings.columns)
    aligner = None if settings.voice is None else ForcedAligner(resolve_voice(settings.voice))
    if aligner is not None and settings.adapt:
        logger.info("Adapting to the speaker of the recordings.")
        adapt_to(aligner, rows, settings.speaker_id, settings.batch_size)
    rate = settings.sampling_rate or (USUAL_RATE if aligner is None else aligner.sampling_rate)
    report = PreparationReport()
    with new_folder(folder, settings.overwrite) as staged:
        lines = list(_written(staged, rows, rate, aligner, settings, report))
        if not lines:
            raise ValueError(f"Nothing of {recordings} is left.\n{report}")
        _write_tables(staged, lines, report)
    return report


def _written(
    folder: Path,
    rows: Sequence[Row],
    rate: int,
    aligner: ForcedAligner | None,
    settings: PreparationSettings,
    report: PreparationReport,
) -> Iterator[tuple[str, str, Row]]:
    """Write the clips of all rows; yield the file name, text and row of each."""
    for row in tqdm(rows, desc="preparing"):
        try:
            clips = _clips(row, rate, aligner, settings)
        except _Dropped as dropped:
            report.drop(row, row.text, *dropped.args)
            continue
        report.cut += len(clips) > 1
        for number, clip in enumerate(clips, 1):
            try:
                samples = _finished(clip, rate, settings)
            except _Dropped as dropped:
                report.drop(row, clip.text, *dropped.args)
                continue
            name = f"audio/{row.name}{f'-{number:03}' if len(clips) > 1 else ''}.flac"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_audio(folder / name, samples, rate)
            report.counts.keep(len(samples) / rate, len(clip.text), clip.text, name, f"{row.place} ({row.name})")
            yield name, clip.text, row


def _clips(row: Row, rate: int, aligner: ForcedAligner | None, settings: PreparationSettings) -> list[PreparedClip]:
    """Return the clips of a row: itself, or the sentences of a long one."""
    if not row.text:
        raise _Dropped("no text")
    try:
        waveform = read_audio(row.source, rate)
    except (ValueError, OSError) as error:
        raise _Dropped("audio that cannot be read", error) from error
    seconds = len(waveform) / rate
    if aligner is None:
        if seconds > settings.max_seconds:
            detail = f"{seconds:.1f} s; name a voice to cut it into sentences"
            raise _Dropped(f"longer than {settings.max_seconds:g} s", detail)
        return [PreparedClip(waveform, row.text)]
    try:
        options = {"batch_size": settings.batch_size, "phases": 1}  # a cut between sentences need not be finer
        alignment = aligner.align(row.source, row.text, speaker_id=settings.speaker_id, **options)
    except (ValueError, OSError) as error:
        raise _Dropped("text that cannot be aligned", error) from error
    if seconds > settings.max_seconds:
        return list(_sentences(waveform, rate, alignment, settings.max_seconds))
    return [PreparedClip(waveform, row.text, alignment.confidence)]


def _sentences(waveform: np.ndarray, rate: int, alignment: Alignment, most: float) -> Iterator[PreparedClip]:
    """Cut a recording between its sentences, where it is quietest; short ones stay with the next."""
    spans = _spoken_spans(alignment)
    edges = [0, *(_quietest(waveform, rate, a[1], b[0]) for a, b in zip(spans, spans[1:], strict=False)), len(waveform)]
    first = 0
    for last in range(len(spans)):
        seconds = (edges[last + 1] - edges[first]) / rate
        following = (edges[min(last + 2, len(edges) - 1)] - edges[first]) / rate
        if seconds < MIN_CLIP_SECONDS and following <= most and last + 1 < len(spans):
            continue
        text = " ".join(sentence["text"] for _, _, sentence in spans[first : last + 1])
        confidence = min(sentence["confidence"] for _, _, sentence in spans[first : last + 1])
        yield PreparedClip(waveform[edges[first] : edges[last + 1]], text, confidence)
        first = last + 1


def _spoken_spans(alignment: Alignment) -> list[tuple[float, float, dict]]:
    """Return start of the first word and end of the last one, in seconds, of each sentence that has words."""
    spans, words = [], [word for word in alignment.words if word["end"] > word["start"]]
    for sentence in alignment.sentences:
        inside = [word for word in words if sentence["start"] <= word["start"] < sentence["end"]]
        if inside:
            spans.append((inside[0]["start"], inside[-1]["end"], sentence))
    return spans


def _quietest(waveform: np.ndarray, rate: int, start: float, end: float) -> int:
    """Return the middle sample of the quietest window between two times, or the middle of a shorter gap."""
    size, first, last = int(WINDOW_SECONDS * rate), int(start * rate), int(end * rate)
    gap = waveform[first:last]
    if len(gap) < 2 * size:
        return (first + last) // 2
    windows = gap[: len(gap) // size * size].reshape(-1, size)
    energies = np.square(windows, dtype=np.float64).sum(axis=1)
    quiet = np.flatnonzero(energies <= energies.min() * 2)
    return first + int(quiet[len(quiet) // 2] * size + size // 2)


def _finished(clip: PreparedClip, rate: int, settings: PreparationSettings) -> np.ndarray:
    """Return the samples of a clip, trimmed and scaled."""
    if clip.confidence is not None and clip.confidence < settings.min_confidence:
        raise _Dropped(WRONG_TEXT, f"confidence {clip.confidence:.2f}")
    start, end = trimmed(torch.from_numpy(np.ascontiguousarray(clip.samples)), rate)
    samples = clip.samples[start:end]
    seconds = len(samples) / rate
    if seconds < settings.min_seconds:
        raise _Dropped(f"shorter than {settings.min_seconds:g} s", f"{seconds:.2f} s")
    if seconds > settings.max_seconds:
        raise _Dropped(f"longer than {settings.max_seconds:g} s", f"{seconds:.1f} s, within a sentence")
    level, peak = speech_level([samples], rate), float(np.abs(samples).max())
    if not np.isfinite(level):
        raise _Dropped("audio that is silent")
    return samples * np.float32(min(10 ** ((settings.level - level) / 20), MAX_PEAK / peak))


def _write_tables(folder: Path, lines: Sequence[tuple[str, str, Row]], report: PreparationReport) -> None:
    """Write the table of the clips, the list of those for evaluation, and the report."""
    others = list(dict.fromkeys(name for _, _, row in lines for name in row.other if name != "text"))
    with (folder / METADATA[0]).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "text", *others])
        writer.writerows([name, text, *(row.other.get(other, "") for other in others)] for name, text, row in lines)
    if evaluated := [name for name, _, row in lines if row.is_evaluated]:
        (folder / EVAL_LISTS[0]).write_text("\n".join([*evaluated, ""]), encoding="utf-8")
    (folder / "report.txt").write_text(f"{report}\n", encoding="utf-8")
    with (folder / "dropped.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file_name", "text", "reason", "detail"), *report.dropped])
