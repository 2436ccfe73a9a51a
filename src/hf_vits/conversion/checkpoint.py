"""Checkpoints of other projects, read without running them: the table of weights, and what lies beside it."""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hf_vits.conversion.tensor_table import is_tensor_table
from hf_vits.conversion.unsupported import refusal
from hf_vits.hub.state_dict import check_kinds, read_contents
from hf_vits.modules.weight_norm import NEW_V, OLD_V, has_zero_filter
from hf_vits.utils.archives import check_pickled
from hf_vits.utils.files import UnreadableFile
from hf_vits.utils.formatting import listed

TABLES = ("model", "state_dict", "weight")
"""What the weights are called in a file that holds the state of training too."""

HARMLESS = ("argparse", "datetime", "enum", "pathlib", "types", "uuid")
"""Modules of Python's own library whose objects checkpoints hold; its others are what attacks are made of."""

MOST_STRANGERS = 50
"""Far more classes than any program leaves in a checkpoint."""

STANDARD = frozenset({*sys.stdlib_module_names, "__builtin__"})

WRAPPER = "module."
"""Begins every name if the model was saved inside `DistributedDataParallel`."""


class UnpicklePlaceholder:
    """Stands for an object of another program, whose code is neither imported nor run."""

    def __init__(self, *args, **kwargs):
        """Takes anything, keeps nothing."""

    def __setstate__(self, state):
        """Keeps nothing either."""

    def __repr__(self) -> str:
        """What errors call it."""
        return "an object of another program"


@dataclass(frozen=True)
class Checkpoint:
    """
    Args:
        tensors (`Mapping[str, Tensor]`):
            The table of weights, without the wrapper of distributed training in its names.
        rest (`Mapping[str, Any]`):
            What else the file holds, such as a configuration.
        notes (`tuple[str, ...]`):
            What was left out, in words.
    """

    tensors: Mapping[str, Tensor]
    rest: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_checkpoint(file: Path) -> Checkpoint:
    """
    Read a `.safetensors` file or a pickled one.

    Objects that are neither tensors nor plain data become `UnpicklePlaceholder`s.

    Raises:
        ValueError: if it is damaged, or holds no table of tensors.
    """
    contents, strangers = _contents(file)
    notes = ()
    if strangers:
        notes = (f"Left out, objects of other programs, which were not run: {', '.join(strangers[:5])}.",)
    if not isinstance(contents, Mapping):
        raise ValueError(f"{file} holds one {type(contents).__name__} and no table of weights.")
    name = (
        None
        if is_tensor_table(contents)
        else next((name for name in TABLES if is_tensor_table(contents.get(name))), None)
    )
    table = contents if name is None else contents[name]
    if not is_tensor_table(table):
        entries = ", ".join(str(key)[:60] for key in list(contents)[:5])
        known = refusal(_dotted(contents)) or ""
        raise ValueError(f"{file} holds no table of weights, but the entries {entries}. {known}".rstrip())
    rest = {} if name is None else {key: value for key, value in contents.items() if key != name}
    return Checkpoint(unwrapped(table), rest, notes)


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turns whatever a reader of a file stumbles over within the context into a `ValueError` that names the file."""
    try:
        yield
    except (OSError, ImportError):  # say by themselves what is missing
        raise
    except ValueError as error:
        if type(error) in (ValueError, UnreadableFile) and any(
            str(place) in str(error) for place in (path, path.parent)
        ):
            raise
        raise ValueError(f"{path} cannot be converted. {error}") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).strip()}".split("\n")[0][:200]
        raise ValueError(
            f"{path}, or a file that belongs to it, is damaged ({reason}); nothing was converted. Fetch it again."
        ) from error


def check_tensors(tensors: Mapping[str, Tensor]) -> None:
    """Raises `ValueError` for what is no weight, before anything is computed of it or space is made for it."""
    check_kinds(tensors)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(
                f"{name} holds NaN or infinity; the file is damaged, or its training diverged. Take another checkpoint."
            )
        if name.endswith((OLD_V, NEW_V)) and has_zero_filter(tensor):
            raise ValueError(
                f"A channel of {name.removesuffix(OLD_V).removesuffix(NEW_V)} has no weights but zeros, which weight "
                "norm cannot hold; the file is damaged. Take another checkpoint."
            )


def copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors out of the file that they are mapped from, each into memory of its own, as safetensors needs it."""
    return {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}


def unwrapped(table: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same without the wrapper of distributed training, if all names have it."""
    names = list(table)
    while names and all(name.startswith(WRAPPER) for name in names):
        names = [name.removeprefix(WRAPPER) for name in names]
    return dict(zip(names, table.values(), strict=True))


def left_out(rest: Mapping[str, Any], *read: str) -> tuple[str, ...]:
    """A note on what lies beside the weights in a file and was not read."""
    names = [str(key)[:60] for key, value in rest.items() if key not in read and value is not None]
    return (f"Left out, the state of training beside the weights: {listed(names)}.",) if names else ()


def _contents(file: Path) -> tuple[Any, list[str]]:
    """
    What a file holds, and the names of the classes that `UnpicklePlaceholder` stands for.

    Archives list the classes they ask for. Of files as PyTorch wrote them before it had archives, the reader tells one
    class after the other, each when it refuses it.
    """
    strangers = _strangers(file)
    while True:
        allowed = [(UnpicklePlaceholder, name) for name in strangers]
        try:
            with torch.serialization.safe_globals(allowed) if strangers else nullcontext():
                return read_contents(file, mmap=True), strangers
        except ValueError as error:
            asked = re.search(r"GLOBAL ([\w.]+)", str(error.__cause__))
            if not asked or asked[1] in strangers or not _is_harmless(asked[1]) or len(strangers) == MOST_STRANGERS:
                raise
            strangers = [*strangers, asked[1]]


def _strangers(file: Path) -> list[str]:
    """Names of the classes that an archive asks for, other than PyTorch's own for tensors, to be left out."""
    try:
        check_pickled(file)  # before anything in it is unpacked
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(file))
    except Exception:  # not a pickled file in a zip, or a damaged one: reading it says so
        return []
    return [name for name in names if _is_harmless(name)]


def _is_harmless(name: str) -> bool:
    """Whether a class may be left out: anything of Python's own library that is not data refuses the file instead."""
    module = name.split(".")[0]
    return module in HARMLESS or module not in STANDARD


def _dotted(contents: Mapping, depth: int = 3) -> list[str]:
    """The names in tables within tables, joined by dots."""
    names = []
    for key, value in contents.items():
        inner = _dotted(value, depth - 1) if isinstance(value, Mapping) and depth else []
        names += [f"{key}.{name}" for name in inner] or [f"{key}"]
    return names
