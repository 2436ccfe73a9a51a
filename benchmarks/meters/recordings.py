"""Recordings of a speaker, with what they say: those to train on, and those held out."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

RATE = 16_000
"""At which recordings are heard; Whisper's and resemblyzer's own."""


class Recording(NamedTuple):
    name: str
    path: Path
    text: str


class Utterance(NamedTuple):
    text: str
    samples: np.ndarray
    rate: int


def read_data(root: Path) -> tuple[list[Recording], list[Recording]]:
    """A data folder -> its held-out recordings, and the others."""
    for name in ("metadata.csv", "eval.txt"):
        if not (root / name).is_file():
            raise SystemExit(f"{root} has no {name}; --data takes a folder with metadata.csv and eval.txt.")
    names = (root / "eval.txt").read_text(encoding="utf-8").split("\n")
    held_out = {name.strip() for name in names if name.strip()}
    with open(root / "metadata.csv", newline="", encoding="utf-8") as file:
        recordings = [Recording(row["file_name"], root / row["file_name"], row["text"]) for row in csv.DictReader(file)]
    unknown = held_out - {recording.name for recording in recordings}
    if unknown or not held_out:
        raise SystemExit(f"eval.txt must name files of metadata.csv; it names {sorted(unknown) or 'none'}.")
    return (
        [recording for recording in recordings if recording.name in held_out],
        [recording for recording in recordings if recording.name not in held_out],
    )


def evenly(recordings: Sequence[Recording], most: int, seconds: float) -> list[Recording]:
    """Those that last so long, `most` of them at most, spread over all."""
    from hf_vits.data.audio import audio_seconds

    lasting = [recording for recording in recordings if audio_seconds(recording.path) >= seconds]
    if not lasting:
        raise SystemExit(f"No recording that is not held out lasts {seconds} s, which telling a speaker takes.")
    step = max(1, len(lasting) / most)
    return [lasting[int(number * step)] for number in range(min(most, len(lasting)))]


def recorded(recordings: Sequence[Recording]) -> list[Utterance]:
    from hf_vits.data.audio import read_audio

    return [Utterance(one.text, read_audio(one.path, RATE), RATE) for one in recordings]
