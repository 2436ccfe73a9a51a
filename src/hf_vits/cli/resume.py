"""The state of a stopped `hf-vits speak`, kept beside its audio file for --resume."""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from hf_vits.utils.atomic_file import new_file
from hf_vits.utils.files import read_table

NAMES = {
    "text": "the text",
    "voice": "the voice",
    "speaker": "--speaker",
    "language": "--language",
    "speed": "--speed",
    "noise_scale": "--noise-scale",
    "noise_scale_duration": "--noise-scale-duration",
    "pause": "--pause",
    "seed": "--seed",
    "loudness": "--loudness",
    "subtitles": "--subtitles",
    "expand": "--no-expand",
    "lexicon": "--lexicon",
    "dtype": "--dtype",
}
"""What the speech depends on, as the user knows it."""

BLOCK = 2**16
"""Samples that are read at once."""


@dataclass(frozen=True)
class Unfinished:
    """
    Speech that was stopped.

    Args:
        work (`dict`):
            What the speech depends on, by the names of `NAMES`.
        sentences, samples (`int`):
            Numbers of what was spoken.
        generator (`str`):
            The state of the random generator after it, in base 64.
        timestamps (`dict`, *optional*):
            Those of the speech, for subtitles.
    """

    work: dict[str, Any]
    sentences: int
    samples: int
    generator: str
    timestamps: dict[str, list[dict]] | None = None

    def state(self):
        """Return the state of the `torch.Generator`."""
        import torch

        return torch.frombuffer(bytearray(base64.b64decode(self.generator)), dtype=torch.uint8)


def encode_state(state) -> str:
    """Encode the state of a `torch.Generator`, a tensor or array of bytes, as text."""
    return base64.b64encode(np.asarray(state).tobytes()).decode("ascii")


def state_file(output: Path) -> Path:
    """Return the file of the state, beside the audio file `output`."""
    return output.with_name(f"{output.name}.resume.json")


def copy_file(output: Path) -> Path:
    """Return the lossless copy of the samples, which a lossy format or another loudness of `output` changes."""
    return output.with_name(f"{output.name}.resume.flac")


def write_unfinished(output: Path, unfinished: Unfinished) -> None:
    """Write the state of speech."""
    with new_file(state_file(output)) as staged:
        staged.write_text(json.dumps(asdict(unfinished), indent=1) + "\n", encoding="utf-8")


def remove_unfinished(output: Path) -> None:
    """Remove the state of an earlier run, when the audio file is complete."""
    for file in (state_file(output), copy_file(output)):
        file.unlink(missing_ok=True)


def read_unfinished(output: Path, work: dict[str, Any]) -> Unfinished | None:
    """
    Read the state of a stopped run; `None` if nothing was spoken yet.

    Raises:
        ValueError: if `output` exists without a state, or the state is damaged or belongs to other options; says what
            differs.
    """
    file = state_file(output)
    if not os.path.lexists(file):
        if os.path.lexists(output):
            raise ValueError(
                f"There is nothing to resume: {output} has no {file.name} beside it, which a stopped run leaves. Leave "
                "--resume out to start from the beginning."
            )
        return None
    table = {"timestamps": None, **read_table(file)}
    kinds = {field.name: field.type for field in fields(Unfinished)}
    whole = table.keys() == kinds.keys() and isinstance(table["work"], dict) and isinstance(table["generator"], str)
    if not whole or not all(type(table[name]) is int and table[name] > 0 for name in ("sentences", "samples")):
        raise ValueError(f"{file} is damaged; leave --resume out to start from the beginning.")
    before = table["work"]
    if before.get("subtitles") and not isinstance(table["timestamps"], dict):
        raise ValueError(f"{file} is damaged; leave --resume out to start from the beginning.")
    differing = [name for name in NAMES if before.get(name) != work[name]]
    if "dtype" in differing:
        differing.remove("voice")  # whose weights are rounded
    if differing:
        changes = ", ".join(_difference(name, before.get(name), work[name]) for name in differing)
        raise ValueError(
            f"{output} was begun with other options: {changes}. Give those again, or leave --resume out to start from "
            "the beginning."
        )
    return Unfinished(**table)


def read_samples(output: Path, unfinished: Unfinished, changed: bool) -> Iterator[np.ndarray]:
    """
    Yield blocks of the samples that were spoken, int16 (n,); raise `ValueError` if the file was changed.
    """
    import soundfile

    source = copy_file(output) if changed else output
    try:
        with soundfile.SoundFile(source) as sound:
            if sound.frames != unfinished.samples:
                raise ValueError(
                    f"{source} has {sound.frames} samples, but the stopped run wrote {unfinished.samples}; leave "
                    "--resume out to start from the beginning."
                )
            while len(block := sound.read(BLOCK, dtype="int16")):
                yield block
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"{source} cannot be read ({error.error_string.rstrip('.')}), which holds the speech so far; leave "
            "--resume out to start from the beginning."
        ) from error


def _difference(name: str, before: Any, now: Any) -> str:
    if name in ("text", "voice"):
        return f"{NAMES[name]} differs"
    if name == "subtitles":
        return f"{NAMES[name]} was {'given' if before else 'not given'}"
    values = ["not given" if value is None else value for value in (before, now)]
    return f"{NAMES[name]} was {values[0]}, now {values[1]}"
