"""Recordings of a speaker, with what they say: training set and evaluation set."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

RATE = 16_000
"""Sampling rate of Whisper and resemblyzer."""


class Recording(NamedTuple):
    name: str
    path: Path
    text: str


EVAL_LISTS = ("eval.txt", "heldout.txt")


class Utterance(NamedTuple):
    text: str
    samples: np.ndarray
    rate: int


def read_data(root: Path) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings of a data folder to evaluate on, and the others."""
    lists = [root / name for name in EVAL_LISTS if (root / name).is_file()]
    if not lists or not (root / "metadata.csv").is_file():
        raise SystemExit(f"{root} needs a metadata.csv, and a list to evaluate on: {' or '.join(EVAL_LISTS)}.")
    evaluation = {name.strip() for name in lists[0].read_text(encoding="utf-8").split("\n")} - {""}
    with open(root / "metadata.csv", newline="", encoding="utf-8") as file:
        recordings = [Recording(row["file_name"], root / row["file_name"], row["text"]) for row in csv.DictReader(file)]
    unknown = evaluation - {recording.name for recording in recordings}
    if unknown or not evaluation:
        raise SystemExit(f"{lists[0]} must name files of metadata.csv; it names {sorted(unknown) or 'none'}.")
    return (
        [recording for recording in recordings if recording.name in evaluation],
        [recording for recording in recordings if recording.name not in evaluation],
    )


def evenly(recordings: Sequence[Recording], most: int, seconds: float) -> list[Recording]:
    """Those that last so long, `most` of them at most, spread over all."""
    from hf_vits.data.audio import audio_seconds

    lasting = [recording for recording in recordings if audio_seconds(recording.path) >= seconds]
    if not lasting:
        raise SystemExit(f"No recording of the training set lasts {seconds} s, which recognizing a speaker takes.")
    step = max(1, len(lasting) / most)
    return [lasting[int(number * step)] for number in range(min(most, len(lasting)))]


def recorded(recordings: Sequence[Recording]) -> list[Utterance]:
    from hf_vits.data.audio import read_audio

    return [Utterance(one.text, read_audio(one.path, RATE), RATE) for one in recordings]
