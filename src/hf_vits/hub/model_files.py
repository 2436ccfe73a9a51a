"""Names of the files in a model folder, and the checkpoints of a training run. Imports no torch."""

import re
from pathlib import Path

from hf_vits.utils.files import exists

CONFIG, TOKENIZER_CONFIG, VOCABULARY = "config.json", "tokenizer_config.json", "vocab.json"

STATE_FILE = "training_state.pt"
"""File of a checkpoint with everything that resuming needs, except for the discriminator's folder."""

SAFE_NAMES = ("model.safetensors", "model.safetensors.index.json")
PICKLE_NAMES = ("pytorch_model.bin", "pytorch_model.bin.index.json")

WEIGHTS = re.compile(r"(model|pytorch_model)\b.*\.(safetensors|bin|json)")
"""Names of files of weights, sharded ones too, and of their index."""

OWN_FILES = (CONFIG, VOCABULARY, TOKENIZER_CONFIG, STATE_FILE, "README.md")
"""Other files of a model folder."""

CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def has_weights(folder: Path) -> bool:
    """Return whether a folder has a file of weights, by its name."""
    return any(exists(folder / name) for name in (*SAFE_NAMES, *PICKLE_NAMES))


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoints of a run that have weights, the newest last."""
    found = [entry for entry in folder.iterdir() if CHECKPOINT.fullmatch(entry.name) and has_weights(entry)]
    return sorted(found, key=lambda entry: int(entry.name.removeprefix("checkpoint-")))


def config_above(folder: Path) -> Path | None:
    """Return the config.json one folder up, for a checkpoint that has none of its own."""
    above = folder.absolute().parent / CONFIG
    return above if not exists(folder / CONFIG) and has_weights(folder) and exists(above) else None
