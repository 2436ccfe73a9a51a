"""The output folder of a training run and the checkpoints in it, which share what finetune-hf-vits writes once."""

import re
from pathlib import Path

from hf_vits.doctor.json_files import exists
from hf_vits.weights import PICKLE_NAMES, SAFE_NAMES

CHECKPOINT = r"checkpoint-(\d+)"


def config_above(folder: Path) -> Path | None:
    """The run's config.json, for a checkpoint that has none of its own; of the verbs only `convert` reads it there."""
    above = folder.absolute().parent / "config.json"
    return above if not exists(folder / "config.json") and has_weights(folder) and exists(above) else None


def checkpoints_in(folder: Path) -> list[Path]:
    """Those that have weights, the newest last."""
    found = [entry for entry in folder.iterdir() if re.fullmatch(CHECKPOINT, entry.name) and has_weights(entry)]
    return sorted(found, key=lambda entry: int(re.fullmatch(CHECKPOINT, entry.name)[1]))


def has_weights(folder: Path) -> bool:
    """Whether a voice's weights lie there, by their names."""
    return any(exists(folder / name) for name in (*SAFE_NAMES, *PICKLE_NAMES))
