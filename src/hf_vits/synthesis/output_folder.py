"""The folder that speech is written to: never half a file, gone on with by the same work, and by no other."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hf_vits.data.audio import audio_seconds, write_audio
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.synthesis.config import SynthesisSettings
from hf_vits.synthesis.plan import SkippedRow, SynthesisPlan
from hf_vits.utils.digests import voice_digest
from hf_vits.utils.new_files import new_file, storage_errors

STATE = Path(".synthesis")
"""Subfolder of what the next run needs to know; neither `datasets` nor the Hub sees it."""

PARTIAL = ("audio/*/.*", f"{STATE}/.*", ".metadata.jsonl[-.]*", ".README.md[-.]*")
"""What is being written, and stays behind if a run is killed."""

PER_FOLDER = 1000
"""Files in a folder; the Hub wants less than 10,000."""


class OutputFolder:
    """
    Speech with its texts, as `datasets.load_dataset("audiofolder", data_dir=…)` reads it.

    A row is done when its file is there: files are written beside and renamed, and nothing else keeps count.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path).expanduser()

    @property
    def _identity_file(self) -> Path:
        return self.path / STATE / "identity.json"

    def check(self) -> None:
        """Raises `FileExistsError` for a file, or a folder that holds anything and was not begun by a run."""
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(f"{self.path} is a file; give the name of a folder as `output_dir`.")
        if self.path.is_dir() and any(self.path.iterdir()) and not (self.path / STATE).is_dir():
            raise FileExistsError(
                f"{self.path} is not empty, and what is in it was not made here. Give a new or an empty folder as "
                "`output_dir`, or one that the same command has begun."
            )

    def begin(self, identity: dict) -> None:
        """
        Notes what the work is, or sees that it is the one noted, and clears away what a killed run left half written.

        Raises:
            ValueError: if the folder is that of other work; says what differs.
        """
        self.check()
        if self._identity_file.is_file():
            _check_same(json.loads(self._identity_file.read_text(encoding="utf-8")), identity, self.path)
        else:
            with storage_errors(self.path, every=True):
                self._identity_file.parent.mkdir(parents=True, exist_ok=True)
            _write(self._identity_file, [json.dumps(identity, indent=2, ensure_ascii=False)])
        for pattern in PARTIAL:
            for file in self.path.glob(pattern):
                file.unlink(missing_ok=True)

    def file_of(self, row: int) -> Path:
        """Of a row's speech."""
        return self.path / "audio" / f"{row // PER_FOLDER:03d}" / f"{row:06d}.flac"

    def write(self, row: int, waveform: np.ndarray, sampling_rate: int) -> None:
        """waveform float32 (T_wav,) -> the row's file, 16 bits."""
        file = self.file_of(row)
        with storage_errors(file, every=True):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_audio(file, waveform, sampling_rate)

    def finished(self, rows: Iterable[int]) -> dict[int, float]:
        """Seconds of those rows that are done."""
        seconds = {}
        for row in rows:
            if self.file_of(row).is_file():
                try:
                    seconds[row] = audio_seconds(self.file_of(row))
                except ValueError:  # nobody renames half a file; but disks fill up and machines lose power
                    continue
        return seconds

    def note(self, left_out: Sequence[SkippedRow]) -> None:
        """Keeps the numbers of all rows that are left out: a table shows the first ones."""
        _write(self.path / STATE / "left_out.jsonl", (json.dumps(asdict(row), ensure_ascii=False) for row in left_out))

    def describe(self, found: SynthesisPlan, seconds: dict[int, float], records: Iterable[dict]) -> None:
        """Writes the table of files, texts and other columns, in the order of the rows."""
        lines = (
            {"file_name": self.file_of(row.number).relative_to(self.path).as_posix(), **record}
            | {"seconds": round(seconds[row.number], 6)}
            for row, record in zip(found.rows, records, strict=True)
        )
        _write(self.path / "metadata.jsonl", (json.dumps(line, ensure_ascii=False, allow_nan=False) for line in lines))

    def write_card(self, card: str, mark: str) -> None:
        """Writes README.md, unless somebody has taken the mark out of the one that is there."""
        file = self.path / "README.md"
        if not file.is_file() or mark in file.read_text(encoding="utf-8"):
            _write(file, [card.rstrip("\n")])

    def upload(self, name: str) -> None:
        """To a data set of the Hub, which is made if there is none of that name."""
        from huggingface_hub import HfApi

        repository = HfApi().create_repo(name, repo_type="dataset", exist_ok=True).repo_id
        HfApi().upload_folder(
            repo_id=repository, repo_type="dataset", folder_path=self.path, ignore_patterns=[".*", "*/.*"]
        )


def _check_same(before: dict, now: dict, folder: Path) -> None:
    differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if differing:
        told = ", ".join(f"{name} {before.get(name)!r}, now {now.get(name)!r}" for name in differing)
        raise ValueError(
            f"{folder} was begun with other work: {told}. Give again what it was begun with to go on, or another "
            "folder as `output_dir`."
        )


def _write(file: Path, lines: Iterable[str]) -> None:
    """The whole file or nothing of it."""
    with new_file(file) as staged, staged.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(line + "\n" for line in lines)


def identity_of(settings: SynthesisSettings, pipe: TextToSpeechPipeline, found: SynthesisPlan, texts: Iterable) -> dict:
    """Settings as they take effect, and digests of the voice, the texts, their symbols and who speaks them."""
    one, all_of_them = found.rows[0].speaker, _digest(str(row.speaker) for row in found.rows)
    return {
        "voice": voice_digest(pipe.model),
        "texts": _digest(str(text) for text in texts),
        "symbols of the texts": _digest(row.symbols.hex() for row in found.rows),
        "speaker": one if settings.speaker_column is None else f"those of digest {all_of_them}",
        **controls_of(settings, pipe),
        "pause": settings.pause,
        "seed": settings.seed,
    }


def controls_of(settings: SynthesisSettings, pipe: TextToSpeechPipeline) -> dict[str, Any]:
    """Controls of the model, those of the voice where none are set."""
    given = {name: getattr(settings, name) for name in ("speaking_rate", "noise_scale", "noise_scale_duration")}
    return {name: getattr(pipe.model.config, name) if value is None else value for name, value in given.items()}


def _digest(items: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(item).encode() + b"\n")
    return digest.hexdigest()[:12]
