"""What a run of `hf-vits speak` that was stopped leaves beside its file, for the run that goes on with it."""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from hf_vits.utils.files import read_table
from hf_vits.utils.new_files import new_file

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
}
"""What decides how a text is spoken, as the user knows it."""

READ_AT_ONCE = 2**16
"""Samples that are copied at once."""


@dataclass(frozen=True)
class Unfinished:
    """
    Speech that was stopped.

    Args:
        work (`dict`):
            What is spoken and how, by the names of `NAMES`.
        sentences, samples (`int`):
            How many of either there are.
        generator (`str`):
            The state of the source of noise after them, in base 64.
    """

    work: dict[str, Any]
    sentences: int
    samples: int
    generator: str

    def state(self):
        """The state of the `torch.Generator`."""
        import torch

        return torch.frombuffer(bytearray(base64.b64decode(self.generator)), dtype=torch.uint8)


def encoded(state) -> str:
    """The state of a `torch.Generator` as text."""
    return base64.b64encode(state.numpy().tobytes()).decode("ascii")


def state_file(output: Path) -> Path:
    """Where the state of speech is kept that was to become `output`."""
    return output.with_name(f"{output.name}.resume.json")


def copy_file(output: Path) -> Path:
    """Where the samples are kept if the format of `output` does not keep them as they are."""
    return output.with_name(f"{output.name}.resume.flac")


def write_unfinished(output: Path, unfinished: Unfinished) -> None:
    """Keep the state of speech beside it."""
    with new_file(state_file(output)) as staged:
        staged.write_text(json.dumps(asdict(unfinished), indent=1) + "\n", encoding="utf-8")


def remove_unfinished(output: Path) -> None:
    """Remove what an earlier run has kept beside a file that is whole now."""
    for file in (state_file(output), copy_file(output)):
        file.unlink(missing_ok=True)


def read_unfinished(output: Path, work: dict[str, Any]) -> Unfinished | None:
    """
    Read the state of a run that was stopped; None if nothing was spoken yet.

    Raises:
        ValueError: if `output` is there without a state, or the state is damaged or of other work; says what differs.
    """
    file = state_file(output)
    if not os.path.lexists(file):
        if os.path.lexists(output):
            raise ValueError(
                f"There is nothing to go on with: {output} is there, but no {file.name} beside it, which a run that is "
                "stopped leaves. Leave --resume out to speak from the beginning."
            )
        return None
    table = read_table(file)
    kinds = {field.name: field.type for field in fields(Unfinished)}
    whole = table.keys() == kinds.keys() and isinstance(table["work"], dict) and isinstance(table["generator"], str)
    if not whole or not all(type(table[name]) is int and table[name] > 0 for name in ("sentences", "samples")):
        raise ValueError(f"{file} is damaged; leave --resume out to speak from the beginning.")
    before = table["work"]
    differing = [name for name in NAMES if before.get(name) != work[name]]
    if differing:
        told = ", ".join(_difference(name, before.get(name), work[name]) for name in differing)
        raise ValueError(
            f"{output} was begun with other work: {told}. Give again what it was begun with, or leave --resume out to "
            "speak from the beginning."
        )
    return Unfinished(**table)


def samples_of(output: Path, unfinished: Unfinished, lossy: bool) -> Iterator[np.ndarray]:
    """
    The samples that were spoken, int16 (n,) each; raises `ValueError` if the file is not the one that was left.
    """
    import soundfile

    source = copy_file(output) if lossy else output
    try:
        with soundfile.SoundFile(source) as sound:
            if sound.frames != unfinished.samples:
                raise ValueError(
                    f"{source} has {sound.frames} samples, but the run that was stopped left {unfinished.samples}; "
                    "leave --resume out to speak from the beginning."
                )
            while len(block := sound.read(READ_AT_ONCE, dtype="int16")):
                yield block
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"{source} cannot be read ({error.error_string.rstrip('.')}), which holds what was spoken; leave --resume "
            "out to speak from the beginning."
        ) from error


def _difference(name: str, before: Any, now: Any) -> str:
    if name in ("text", "voice"):
        return f"{NAMES[name]} is another"
    told = ["not given" if value is None else value for value in (before, now)]
    return f"{NAMES[name]} was {told[0]}, now {told[1]}"
