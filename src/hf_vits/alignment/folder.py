"""Align a folder of recordings with their texts; a run that was stopped continues."""

import csv
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from tqdm.auto import tqdm

from hf_vits.alignment.adaptation import Adaptation
from hf_vits.alignment.aligner import ForcedAligner
from hf_vits.alignment.result import Alignment
from hf_vits.alignment.rows import Row, adapt_to, load_rows
from hf_vits.alignment.settings import AlignmentSettings
from hf_vits.conversion.resolve import resolve_voice
from hf_vits.utils.atomic_file import new_file, storage_errors
from hf_vits.utils.atomic_folder import destination, refuse_losing
from hf_vits.utils.digests import voice_digest
from hf_vits.utils.run_lock import run_lock

logger = logging.getLogger(__name__)

VERSION = 2
"""Increased when equal settings give another result."""

STATE, ROWS, ADAPTATION, REPORT = "state.json", "rows.jsonl", "adaptation.safetensors", "report.csv"
FIELDS = ("file_name", "confidence", "score", "seconds", "problem", "worst_word", "text", "place")
"""Columns of the report."""


@dataclass(frozen=True)
class FolderReport:
    """The rows of an aligned folder, the worst first, as dictionaries of the columns `FIELDS`."""

    rows: list[dict[str, Any]]
    min_confidence: float

    @property
    def suspects(self) -> list[dict[str, Any]]:
        """Rows whose text does not fit their sound, or that could not be aligned."""
        return [row for row in self.rows if row["problem"]]

    @property
    def coverage(self) -> float:
        """Share of the rows that have an alignment, whether it fits or not."""
        return sum(row["score"] is not None for row in self.rows) / max(1, len(self.rows))

    def __str__(self) -> str:
        lines = [
            f"{len(self.rows)} recordings, {self.coverage:.1%} aligned; {len(self.suspects)} do not fit their text"
        ]
        for row in self.suspects[:20]:
            lines.append(f"{row['confidence']:5.2f}  {row['file_name']}  {row['text'][:60]}  ({row['problem'][:90]})")
        return "\n".join([*lines, *(["…"] if len(self.suspects) > 20 else [])])


def align_folder(recordings: str, settings: AlignmentSettings) -> FolderReport:
    """
    Align recordings with their texts, and write their times and a report of texts that do not fit.

    Each recording gets files of its name in each format, whole or not at all. `report.csv` has all rows, the worst
    first. The same call continues a run that was stopped, and does only what is new if there are more recordings.

    Args:
        recordings (`str`):
            A folder or data set that `hf-vits train` takes.
        settings ([`AlignmentSettings`]):
            Voice, output folder, formats.

    Returns:
        [`FolderReport`]

    Raises:
        FileExistsError: if the output folder holds something else and `overwrite` is not set.
        FileNotFoundError, ValueError: for data without recordings or texts, and a voice without a posterior encoder.

    Example:

    ```python
    >>> from hf_vits.alignment import AlignmentSettings, align_folder

    >>> print(align_folder("recordings", AlignmentSettings("aligned", "completed_voice")))  # doctest: +SKIP
    ```
    """
    folder = destination(settings.output)
    refuse_losing(folder, recordings)
    rows, aligner = load_rows(recordings, settings.columns), ForcedAligner(resolve_voice(settings.voice))
    state = folder / ".alignment"
    key = [VERSION, voice_digest(aligner.model), settings.adapt, settings.formats, settings.speaker_id]
    _check_folder(folder, state, key, settings.overwrite)
    with run_lock(state), storage_errors(folder):
        done = _begin(state, key)
        _adapt(aligner, rows, settings, state / ADAPTATION)
        left = [row for row in rows if json.dumps(row.identity) not in done]
        with (state / ROWS).open("a", encoding="utf-8") as log, tqdm(total=len(left), desc="aligning") as bar:
            for first in range(0, len(left), settings.batch_size):
                batch = left[first : first + settings.batch_size]
                for row, result in zip(batch, _aligned(aligner, batch, settings), strict=True):
                    if isinstance(result, Alignment):
                        _save(result, folder / row.name, settings.formats)
                    record = _record(row, result)
                    done[json.dumps(row.identity)] = record
                    log.write(json.dumps([row.identity, record], ensure_ascii=False) + "\n")
                    log.flush()
                    bar.update()
        report = _report(rows, done, settings.min_confidence)
        _write_report(folder / REPORT, report)
    return report


def _check_folder(folder: Path, state: Path, key: list, overwrite: bool) -> None:
    """Raise `FileExistsError` for a folder of something else; begin anew if it may be overwritten."""
    if not folder.is_dir() or not any(folder.iterdir()) or _read_state(state) == key:
        return
    if not overwrite:
        raise FileExistsError(
            f"{folder} holds something else, or alignments by another voice or with other settings. Choose another "
            "folder, or pass `overwrite=True` (`--overwrite`) to replace its files of the same names."
        )
    for name in (STATE, ROWS, ADAPTATION):
        (state / name).unlink(missing_ok=True)


def _begin(state: Path, key: list) -> dict[str, dict]:
    """Write the key of a run, and return the records of rows that are done."""
    with new_file(state / STATE) as staged:
        staged.write_text(json.dumps(key), encoding="utf-8")
    done: dict[str, dict] = {}
    if (state / ROWS).exists():
        for line in (state / ROWS).read_text(encoding="utf-8").splitlines():
            try:
                identity, record = json.loads(line)
                done[json.dumps(identity)] = record
            except ValueError:  # a line that a crash has cut
                continue
    return done


def _read_state(state: Path) -> list | None:
    try:
        return json.loads((state / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _adapt(aligner: ForcedAligner, rows: Sequence[Row], settings: AlignmentSettings, file: Path) -> None:
    """Adapt the aligner, or load what an earlier run adapted to, so that rows do not depend on interruptions."""
    if file.exists():
        aligner.adaptation = Adaptation(**load_file(file))
    elif settings.adapt:
        logger.info("Adapting to the speaker of the recordings.")
        adapt_to(aligner, rows, settings.speaker_id, settings.batch_size)
        if aligner.adaptation is not None:
            with new_file(file) as staged:
                save_file({name: tensor.contiguous() for name, tensor in vars(aligner.adaptation).items()}, staged)


def _aligned(aligner: ForcedAligner, rows: Sequence[Row], settings: AlignmentSettings) -> list[Alignment | str]:
    """Return the alignment of each row, or why there is none."""
    results: dict[int, Alignment | str] = {}
    waveforms: dict[int, Any] = {}
    for number, row in enumerate(rows):
        try:
            if not row.text:
                raise ValueError("there is no text")
            waveforms[number] = aligner.waveform(row.source)
        except (ValueError, OSError) as error:
            results[number] = str(error)
    for number in [number for number, one in waveforms.items() if len(one) <= aligner.encoder.shortest]:
        results[number] = f"the recording has only {len(waveforms.pop(number))} samples"
    texts, options = [rows[number].text for number in waveforms], {"batch_size": settings.batch_size}
    found = aligner.align_waveforms(list(waveforms.values()), texts, settings.speaker_id, **options)
    results |= {i: str(one) if isinstance(one, ValueError) else one for i, one in zip(waveforms, found, strict=True)}
    return [results[number] for number in range(len(rows))]


def _save(alignment: Alignment, path: Path, formats: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in formats:
        alignment.save(path.with_name(f"{path.name}.{name}"))


def _record(row: Row, result: Alignment | str) -> dict[str, Any]:
    """Return the line of a row in the report, without a verdict on its confidence."""
    common = {"file_name": row.name, "text": row.text, "place": row.place}
    if isinstance(result, str):
        return {**common, "confidence": 0.0, "score": None, "seconds": None, "problem": result, "worst_word": ""}
    worst = min(result.words, key=lambda word: word["confidence"], default={"text": ""})["text"]
    values = {"confidence": result.confidence, "score": result.score, "seconds": result.duration}
    return {**common, **values, "problem": "", "worst_word": worst}


def _report(rows: Sequence[Row], done: dict[str, dict], min_confidence: float) -> FolderReport:
    records = [dict(done[json.dumps(row.identity)]) for row in rows]
    for record in records:
        if record["score"] is not None and record["confidence"] < min_confidence:
            record["problem"] = "the text does not fit the sound"
    return FolderReport(sorted(records, key=lambda record: record["confidence"]), min_confidence)


def _write_report(path: Path, report: FolderReport) -> None:
    with new_file(path) as staged, staged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(report.rows)
