"""The state that resuming needs: where the run is, all tensors, and the checks of a state that was read from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hf_vits.hub.license import Provenance
from hf_vits.hub.model_files import STATE_FILE
from hf_vits.hub.state_dict import read_contents
from hf_vits.training.optimizer import OptimizedModel
from hf_vits.training.training_arguments import VitsTrainingArguments

MODULES = ("generator", "ema", "discriminator")
OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")
DURATIONS = ("duration_discriminator", "duration_discriminator_optimizer")
"""Entries of runs that train one, beside the others."""
MOMENTS = ("exp_avg", "exp_avg_sq")
ENTRIES = {
    "progress": dict,
    "batch_order": dict,
    "new_parameters": list,
    "new_discriminator": bool,
    "provenance": dict | None,
    "generator": dict,
    "ema": dict | None,
    "generator_optimizer": dict,
    "discriminator": dict,
    "discriminator_optimizer": dict,
    "scaler": dict | None,
}
"""The entries of a state, with their types."""


@dataclass
class Progress:
    """Where a run is: steps taken, the epoch, the batches of it that are used up, and skipped steps."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    skipped_steps: int = 0
    consecutive_skipped_steps: int = 0


def batch_order(args: VitsTrainingArguments, clips: int | None, processes: int) -> dict[str, Any]:
    """Return everything that the order of an epoch's batches depends on; `clips` is `None` for a stream."""
    limit, joined = args.max_batch_seconds, args.join_clips_seconds
    return {
        **({"join_clips_seconds": joined} if joined else {}),  # not in the states of runs without it, and earlier ones
        "clips": clips,
        "global_batch_size": args.per_device_train_batch_size * processes,
        "max_batch_seconds": limit and (limit, processes),  # it limits each process's share
        "seed": args.seed,
    }


class InvalidEntry(Exception):
    """Describe what is wrong with an entry of a state."""


def read_state(folder: Path) -> dict[str, Any]:
    """
    Read the state of a checkpoint; nothing in the file is executed.

    Raises:
        ValueError: for a file that is damaged, or would unpack to more than its size allows.
    """
    file = folder / STATE_FILE
    try:
        state = read_contents(file)
    except ValueError as error:
        raise ValueError(f"{file} cannot be read; resume from another checkpoint. {error}") from error
    if not isinstance(state, dict):
        raise ValueError(f"{file} holds one {type(state).__name__} and no state; resume from another checkpoint.")
    return state


def check_state(state: Mapping[str, Any], folder: Path) -> None:
    """Raise `ValueError` unless a state read from a checkpoint can be loaded; the message names file and entry."""
    try:
        for name, kind in ENTRIES.items():
            _require(name in state, name, "is missing")
            _require(isinstance(state[name], kind), name, f"is a {type(state[name]).__name__}")
        _check_progress(state["progress"])
        names = state["new_parameters"]
        _require(all(isinstance(name, str) for name in names), "new_parameters", "is not a list of names")
        _check_provenance(state["provenance"] or {})
        for field, value in (state["scaler"] or {}).items():
            _require(isinstance(value, int | float), f"scaler.{field}", "is no number")
        durations = [name for name in DURATIONS if name in state]
        for name in durations:
            _require(isinstance(state[name], dict), name, f"is a {type(state[name]).__name__}")
        for name in (*MODULES, *durations[:1]):
            for key, value in (state[name] or {}).items():
                _require(isinstance(key, str), name, f"has the name {key!r}")
                _check_tensor(f"{name}.{key}", value)
        for name in (*OPTIMIZERS, *durations[1:]):
            _check_optimizer(name, state[name])
    except InvalidEntry as error:
        raise ValueError(
            f"{folder / STATE_FILE} is not a whole training state of this version of hf_vits: {error}. Resume from "
            "another checkpoint, or start a new run from the model in this one, with `model_name_or_path`."
        ) from error


def load_module(module: torch.nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Load a state dict strictly; raise `ValueError` if the checkpoint has another architecture."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"The checkpoint's {name} does not fit this run's: {str(error).splitlines()[-1]}") from error


def load_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], name: str, folder: Path) -> None:
    """
    Load the moments of every parameter; learning rates, decays and other settings stay those of this run.

    Raises:
        ValueError: if the moments belong to other parameters; names the file.
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


def durations_state(durations: OptimizedModel | None) -> dict[str, Any]:
    """Return the entries of a discriminator of durations, if the run has one."""
    if durations is None:
        return {}
    return dict(zip(DURATIONS, (durations.module.state_dict(), durations.optimizer.state_dict()), strict=True))


def load_durations(durations: OptimizedModel | None, state: Mapping[str, Any], folder: Path) -> None:
    """Load a discriminator of durations, where both the run and the checkpoint have one."""
    module, optimizer = DURATIONS
    if durations is not None and module in state and optimizer in state:
        load_module(durations.module, state[module], "duration discriminator")
        load_optimizer(durations.optimizer, state[optimizer], "optimizer of the duration discriminator", folder)


def _require(condition: bool, name: str, problem: str) -> None:
    if not condition:
        raise InvalidEntry(f"`{name}` {problem}")


def _check_progress(numbers: Mapping[str, Any]) -> None:
    known = {item.name for item in fields(Progress)}
    _require(numbers.keys() == known, "progress", f"has the fields {sorted(map(str, numbers))}, not {sorted(known)}")
    for field, value in numbers.items():
        _require(isinstance(value, int) and 0 <= value < 2**63, f"progress.{field}", "is no whole number from 0 up")


def _check_provenance(provenance: Mapping[str, Any]) -> None:
    _require(provenance.keys() <= {item.name for item in fields(Provenance)}, "provenance", "has unknown fields")
    for field, value in provenance.items():
        texts = value if isinstance(value, list) else [value]
        _require(all(isinstance(text, str | None) for text in texts), f"provenance.{field}", "is no text")


def _check_tensor(name: str, tensor: Any) -> None:
    _require(isinstance(tensor, Tensor), name, f"is a {type(tensor).__name__}, not a tensor")
    is_plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    _require(is_plain, name, "is not a dense tensor on the CPU")
    is_complete = tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()
    _require(is_complete, name, "claims more numbers than the file has")
    _require(bool(torch.isfinite(tensor).all()), name, "has values that are not finite")


def _check_optimizer(name: str, saved: Mapping[str, Any]) -> None:
    state = saved.get("state")
    _require(isinstance(state, dict), name, "has no moments")
    for number, moments in state.items():
        place = f"{name}.{number}"
        _require(isinstance(number, int) and number >= 0, place, "belongs to no parameter")
        _require(isinstance(moments, dict) and moments.keys() == {"step", *MOMENTS}, place, "is no state of AdamW")
        for kind, tensor in moments.items():
            _check_tensor(f"{place}.{kind}", tensor)
        _require(moments["step"].numel() == 1, f"{place}.step", "is no number")
