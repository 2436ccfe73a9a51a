"""What a checkpoint's file of state must hold before anything of it is loaded into a run."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hf_vits.origin import Origin
from hf_vits.training.checkpoints import STATE_FILE

MODULES = ("generator", "average", "discriminator")
OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")
MOMENTS = ("exp_avg", "exp_avg_sq")
FIELDS = {
    "progress": dict,
    "order": dict,
    "fresh": list,
    "fresh_discriminator": bool,
    "origin": dict | None,
    "generator": dict,
    "average": dict | None,
    "generator_optimizer": dict,
    "discriminator": dict,
    "discriminator_optimizer": dict,
    "scaler": dict | None,
}
"""What there is, and of which type."""


def check_state(state: Mapping[str, Any], folder: Path, progress: type) -> None:
    """
    Raise `ValueError` unless a state read from a file can be loaded; the message names the file and the entry.

    Args:
        state (`Mapping[str, Any]`):
            What was read.
        folder (`Path`):
            The checkpoint.
        progress (`type`):
            The dataclass of whole numbers that says where a run is.
    """
    try:
        for name, kind in FIELDS.items():
            _require(name in state, name, "is missing")
            _require(isinstance(state[name], kind), name, f"is a {type(state[name]).__name__}")
        _check_numbers("progress", state["progress"], {item.name for item in fields(progress)})
        _require(all(isinstance(name, str) for name in state["fresh"]), "fresh", "is not a list of names")
        if state["origin"] is not None:
            known = {item.name for item in fields(Origin)}
            _require(state["origin"].keys() <= known, "origin", "has other fields")
            for field, value in state["origin"].items():
                texts = value if isinstance(value, list) else [value]
                _require(all(isinstance(text, str | None) for text in texts), f"origin.{field}", "is no text")
        for field, value in (state["scaler"] or {}).items():
            _require(isinstance(value, int | float), f"scaler.{field}", "is no number")
        for name in MODULES:
            for key, value in (state[name] or {}).items():
                _require(isinstance(key, str), name, f"has the name {key!r}")
                _check_tensor(f"{name}.{key}", value)
        for name in OPTIMIZERS:
            _check_optimizer(name, state[name])
    except Wrong as error:
        raise ValueError(
            f"{folder / STATE_FILE} is not a whole state of a run: {error}. Resume from another checkpoint."
        ) from error


def load_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], name: str, folder: Path) -> None:
    """
    Load the moments of every parameter; rates, decays and other settings stay those of this run.

    Raises:
        ValueError: if they are of other parameters; names the file.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, moments in saved["state"].items():
        shapes = {tuple(moments[kind].shape) for kind in MOMENTS}
        if not number < len(parameters) or shapes != {tuple(parameters[number].shape)}:
            raise ValueError(
                f"The checkpoint's {name} does not fit this run's: parameter {number} has moments of the shape "
                f"{sorted(shapes)} in {folder / STATE_FILE}."
            )
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})


class Wrong(Exception):
    """Say what is wrong with an entry."""


def _require(condition: bool, name: str, problem: str) -> None:
    if not condition:
        raise Wrong(f"`{name}` {problem}")


def _check_numbers(name: str, numbers: Mapping[str, Any], known: set[str]) -> None:
    _require(numbers.keys() == known, name, f"has the fields {sorted(map(str, numbers))}, not {sorted(known)}")
    for field, value in numbers.items():
        _require(isinstance(value, int) and 0 <= value < 2**63, f"{name}.{field}", "is no whole number from 0 up")


def _check_tensor(name: str, tensor: Any) -> None:
    _require(isinstance(tensor, Tensor), name, f"is a {type(tensor).__name__}, not a tensor")
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    _require(plain, name, "is a tensor of a kind that weights are not of")
    whole = tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()
    _require(whole, name, "claims more numbers than the file has")
    _require(bool(torch.isfinite(tensor).all()), name, "has values that are not finite")


def _check_optimizer(name: str, saved: Mapping[str, Any]) -> None:
    state = saved.get("state")
    _require(isinstance(state, dict), name, "has no moments")
    for number, moments in state.items():
        place = f"{name}.{number}"
        _require(isinstance(number, int) and number >= 0, place, "is of no parameter")
        _require(isinstance(moments, dict) and moments.keys() == {"step", *MOMENTS}, place, "is not of AdamW")
        for kind, tensor in moments.items():
            _check_tensor(f"{place}.{kind}", tensor)
        _require(moments["step"].numel() == 1, f"{place}.step", "is no number")
