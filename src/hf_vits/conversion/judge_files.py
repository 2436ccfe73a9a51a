"""Finds the tensors of judges in a file or folder, and what the configuration beside them says of their shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hf_vits.conversion.checkpoint import left_out, read_checkpoint
from hf_vits.conversion.json_fields import read_fields
from hf_vits.discriminator import SLOPE, VitsDiscriminatorConfig
from hf_vits.resolve import missing_path
from hf_vits.weights import PICKLE_NAMES, SAFE_NAMES, read_state_dict
from hf_vits.wording import listed

SUBFOLDER = "discriminator"
"""Where a training checkpoint of this package has its judges."""

SECOND_MODEL = ("model_1.safetensors", "pytorch_model_1.bin")
"""The judges as Accelerate saves them, next to the generator."""

ORIGINAL = "D_*.pth"

WHAT_TO_GIVE = (
    f"Give the judges of a training run: the original's {ORIGINAL}, a checkpoint-N folder with {SECOND_MODEL[0]}, a "
    "folder whose weights hold voice and discriminator (of finetune-hf-vits), or one written by "
    "`VitsDiscriminator.save_pretrained`."
)

NUMBERS = ("scales", "period_kernel_size", "period_stride")
LISTS = ("periods", "period_channels", "scale_channels")

SCALES = "discriminator_scale_channels"
"""In finetune-hf-vits; null if there is no scale judge."""

FINE_TUNER = {
    "discriminator_periods": "periods",
    "discriminator_stride": "period_stride",
    "discriminator_kernel_size": "period_kernel_size",
    "discriminator_period_channels": "period_channels",
    SCALES: "scale_channels",
}
"""Fields of finetune-hf-vits' config.json, and ours."""

REPEATS = {"period_channels": 1, "scale_channels": 2}
"""Layers with as many channels as the layer before, which finetune-hf-vits does not list."""


@dataclass(frozen=True)
class Found:
    """
    Tensors, not yet known to be judges'; `said` are the fields of [`VitsDiscriminatorConfig`] that a file tells, and
    `notes` say what else the file held.
    """

    source: Path
    tensors: Mapping[str, Tensor]
    said: dict[str, Any]
    notes: tuple[str, ...] = ()


def find(path: str | Path) -> Found:
    """
    Reads the file, or the one file or set of shards in the folder that can hold judges. Nothing in it is executed.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if there is more than one, or it is damaged or holds no table of tensors.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return _in_file(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{missing_path(path)} {WHAT_TO_GIVE}")
    folder = path / SUBFOLDER if (path / SUBFOLDER).is_dir() else path
    if (alone := judges_in(folder)) is not None:
        return _in_file(alone)
    if not any((folder / name).is_file() for name in (*SAFE_NAMES, *PICKLE_NAMES)):
        raise FileNotFoundError(f"{folder} has no weights. {WHAT_TO_GIVE}")
    return Found(folder, read_state_dict(str(folder)), said_in(folder / "config.json"))


def judges_in(folder: Path) -> Path | None:
    """The file in a folder that holds judges and no voice; raises `ValueError` if there are several."""
    alone = [folder / name for name in SECOND_MODEL if (folder / name).is_file()] or sorted(folder.glob(ORIGINAL))
    if len(alone) > 1:
        names = listed([file.name for file in alone])
        raise ValueError(f"{folder} holds more than one file of judges: {names}. Give one of them itself.")
    return alone[0] if alone else None


def _in_file(file: Path) -> Found:
    try:
        checkpoint = read_checkpoint(file)
    except ValueError as error:
        raise ValueError(f"{error} {WHAT_TO_GIVE}") from error
    notes = (*checkpoint.notes, *left_out(checkpoint.rest))
    return Found(file, checkpoint.tensors, said_in(file.parent / "config.json"), notes)


def said_in(file: Path) -> dict[str, Any]:
    """The fields of our configuration that a config.json tells; none if there is no such file."""
    if not file.is_file():
        return {}
    data = read_fields(file, "VITS voice").data
    if data.get("model_type") == VitsDiscriminatorConfig.model_type:
        return {name: _checked(file, name, name, data[name]) for name in (*NUMBERS, *LISTS) if name in data}
    _check_slope(file, data)
    told = {theirs: ours for theirs, ours in FINE_TUNER.items() if theirs in data}
    said = {"scales": 1} if SCALES in told else {}
    if SCALES in told and data[SCALES] is None:
        said["scales"] = 0
        del told[SCALES]
    return said | {ours: _as_ours(file, theirs, ours, data[theirs]) for theirs, ours in told.items()}


def _checked(file: Path, name: str, ours: str, value: Any) -> int | list[int]:
    """A whole number or a list of them, as our field takes it."""
    least = 0 if ours == "scales" else 1
    whole = [type(number) is int and number >= least for number in (value if isinstance(value, list) else [value])]
    if isinstance(value, list) != (ours in LISTS) or not all(whole) or not (whole or ours == "periods"):
        expected = "a list of whole numbers above 0" if ours in LISTS else f"a whole number from {least} up"
        raise ValueError(f"`{name}` in {file} is {str(value)[:80]}; it must be {expected}.")
    return value


def _check_slope(file: Path, data: dict[str, Any]) -> None:
    """finetune-hf-vits gives its judges the slope of the decoder."""
    slope = data.get("leaky_relu_slope", SLOPE)
    if slope != SLOPE and any(name in data for name in FINE_TUNER):
        raise ValueError(
            f"`leaky_relu_slope` in {file} is {str(slope)[:80]}, so these judges were trained with it; the judges here "
            f"have {SLOPE}, as in VITS. Train new ones."
        )


def _as_ours(file: Path, theirs: str, ours: str, value: Any) -> int | list[int]:
    """The fine-tuner counts the waveform's one channel, and not the layers that repeat the last number of channels."""
    value = _checked(file, theirs, ours, value)
    if ours not in REPEATS:
        return value
    if len(value) < 2 or value[0] != 1:
        raise ValueError(f"`{theirs}` in {file} is {str(value)[:80]}; it must be 1 and then one number or more.")
    return value[1:] + value[-1:] * REPEATS[ours]
