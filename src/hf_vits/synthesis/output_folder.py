"""The folder that speech is written to: files are whole, and only the same run can continue in it."""

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
from hf_vits.utils.atomic_file import new_file, storage_errors
from hf_vits.utils.digests import voice_digest
from hf_vits.utils.precision import DTYPES, decoder_dtype

STATE = Path(".synthesis")
"""Subfolder with the state of a run; `datasets` and the Hub ignore it."""

PARTIAL = ("audio/*/.*", f"{STATE}/.*", ".metadata.jsonl[-.]*", ".README.md[-.]*")
"""Temporary files, which stay behind if a run is killed."""

PER_FOLDER = 1000
"""Audio files in a folder; the Hub allows less than 10,000."""


class OutputFolder:
    """
    A folder of speech with its texts, which `datasets.load_dataset("audiofolder", data_dir=…)` reads.

    A row is done when its file exists: files are written under another name and renamed.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path).expanduser()

    @property
    def _identity_file(self) -> Path:
        return self.path / STATE / "identity.json"

    def check(self) -> None:
        """Raise `FileExistsError` for a file, and for a folder that is not empty and that no run has begun."""
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(f"{self.path} is a file; give the name of a folder as `output_dir`.")
        if self.path.is_dir() and any(self.path.iterdir()) and not (self.path / STATE).is_dir():
            raise FileExistsError(
                f"{self.path} is not empty, and no run has begun it. Give a new or an empty folder as `output_dir`, or "
                "one that the same command has begun."
            )

    def begin(self, identity: dict) -> None:
        """
        Record the identity of a run, or compare it with the recorded one; remove temporary files of a killed run.

        Raises:
            ValueError: if another run has begun the folder; says what differs.
        """
        self.check()
        if self._identity_file.is_file():
            before = {"dtype": DTYPES[0], **json.loads(self._identity_file.read_text(encoding="utf-8"))}
            _check_same(before, identity, self.path)
        else:
            with storage_errors(self.path, every=True):
                self._identity_file.parent.mkdir(parents=True, exist_ok=True)
            _write(self._identity_file, [json.dumps(identity, indent=2, ensure_ascii=False)])
        for pattern in PARTIAL:
            for file in self.path.glob(pattern):
                file.unlink(missing_ok=True)

    def file_of(self, row: int) -> Path:
        """Return the audio file of a row."""
        return self.path / "audio" / f"{row // PER_FOLDER:03d}" / f"{row:06d}.flac"

    def write(self, row: int, waveform: np.ndarray, sampling_rate: int) -> None:
        """Write the file of a row, 16 bits, from a waveform float32 (T_wav,)."""
        file = self.file_of(row)
        with storage_errors(file, every=True):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_audio(file, waveform, sampling_rate)

    def finished(self, rows: Iterable[int]) -> dict[int, float]:
        """Return the seconds of those rows that are done."""
        seconds = {}
        for row in rows:
            if self.file_of(row).is_file():
                try:
                    seconds[row] = audio_seconds(self.file_of(row))
                except ValueError:  # damaged, as after a loss of power
                    continue
        return seconds

    def write_skipped(self, rows: Sequence[SkippedRow]) -> None:
        """Write all skipped rows with their reasons; the printed table has the first ones."""
        _write(self.path / STATE / "skipped.jsonl", (json.dumps(asdict(row), ensure_ascii=False) for row in rows))

    def write_table(self, plan: SynthesisPlan, seconds: dict[int, float], records: Iterable[dict]) -> None:
        """Write the table of files, texts and other columns, in the order of the rows."""
        lines = (
            {"file_name": self.file_of(row.number).relative_to(self.path).as_posix(), **record}
            | {"seconds": round(seconds[row.number], 6)}
            for row, record in zip(plan.rows, records, strict=True)
        )
        _write(self.path / "metadata.jsonl", (json.dumps(line, ensure_ascii=False, allow_nan=False) for line in lines))

    def write_card(self, card: str, mark: str) -> None:
        """Write README.md, unless there is one without the mark, which somebody else wrote."""
        file = self.path / "README.md"
        if not file.is_file() or mark in file.read_text(encoding="utf-8"):
            _write(file, [card.rstrip("\n")])

    def upload(self, name: str, private: bool | None = None) -> None:
        """Upload the folder to a data set of the Hub, which is created if it does not exist, private or as the account
        decides."""
        from huggingface_hub import HfApi

        repository = HfApi().create_repo(name, repo_type="dataset", private=private, exist_ok=True).repo_id
        HfApi().upload_folder(
            repo_id=repository, repo_type="dataset", folder_path=self.path, ignore_patterns=[".*", "*/.*"]
        )


def _check_same(before: dict, now: dict, folder: Path) -> None:
    differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if "dtype" in differing:
        differing.remove("voice")  # whose weights are rounded
    if differing:
        changes = ", ".join(f"{name} {before.get(name)!r}, now {now.get(name)!r}" for name in differing)
        raise ValueError(
            f"{folder} was begun with other settings: {changes}. Give those again to continue, or another folder as "
            "`output_dir`."
        )


def _write(file: Path, lines: Iterable[str]) -> None:
    """Write lines to a file, which is replaced whole or not at all."""
    with new_file(file) as staged, staged.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(line + "\n" for line in lines)


def identity_of(settings: SynthesisSettings, pipe: TextToSpeechPipeline, plan: SynthesisPlan, texts: Iterable) -> dict:
    """Return everything that the sound depends on: settings, and digests of voice, texts, tokens and speakers."""
    speakers = plan.rows[0].speaker
    if settings.speaker_column is not None:
        speakers = f"of digest {_digest(str(row.speaker) for row in plan.rows)}"
    return {
        "voice": voice_digest(pipe.model),
        "texts": _digest(str(text) for text in texts),
        "tokens": _digest(row.token_digest.hex() for row in plan.rows),
        "speaker": speakers,
        **model_controls(settings, pipe),
        "pause": settings.pause,
        "dtype": decoder_dtype(pipe.model),
        "seed": settings.seed,
    }


def model_controls(settings: SynthesisSettings, pipe: TextToSpeechPipeline) -> dict[str, Any]:
    """Return the controls of the model, the voice's own where none is set."""
    given = {name: getattr(settings, name) for name in ("speaking_rate", "noise_scale", "noise_scale_duration")}
    return {name: getattr(pipe.model.config, name) if value is None else value for name, value in given.items()}


def _digest(items: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(item).encode() + b"\n")
    return digest.hexdigest()[:12]
