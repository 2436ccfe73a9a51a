"""Read checkpoints of other projects without running them: the table of weights, and the entries beside it."""

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
"""Names of the table of weights in a file that holds the state of training too."""

HARMLESS = ("argparse", "datetime", "enum", "pathlib", "types", "uuid")
"""Modules of Python's standard library whose objects checkpoints hold; attacks use the others."""

MOST_PLACEHOLDERS = 50
"""Far more classes than any program leaves in a checkpoint."""

STANDARD = frozenset({*sys.stdlib_module_names, "__builtin__"})

WRAPPER = "module."
"""Begins every name if the model was saved inside `DistributedDataParallel`."""


class UnpicklePlaceholder:
    """Stand for an object of another program, whose code is neither imported nor run."""

    def __init__(self, *args, **kwargs):
        """Ignore all arguments."""

    def __setstate__(self, state):
        """Ignore the state."""

    def __repr__(self) -> str:
        """Return the name for errors."""
        return "an object of another program"


@dataclass(frozen=True)
class Checkpoint:
    """
    Args:
        tensors (`Mapping[str, Tensor]`):
            The table of weights, without the prefix of distributed training. They are mapped from the file.
        rest (`Mapping[str, Any]`):
            The other entries of the file, such as a configuration.
        notes (`tuple[str, ...]`):
            What was left out.
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
    contents, placeholders = _read_contents(file)
    notes = ()
    if placeholders:
        notes = (f"Left out, objects of other programs, which were not run: {', '.join(placeholders[:5])}.",)
    if not isinstance(contents, Mapping):
        raise ValueError(f"{file} holds one {type(contents).__name__} and no table of weights.")
    if is_tensor_table(contents):
        return Checkpoint(unwrapped(contents), {}, notes)
    name = next((name for name in TABLES if is_tensor_table(contents.get(name))), None)
    if name is None:
        entries = ", ".join(str(key)[:60] for key in list(contents)[:5])
        known = refusal(_dotted(contents)) or ""
        raise ValueError(f"{file} holds no table of weights, but the entries {entries}. {known}".rstrip())
    return Checkpoint(unwrapped(contents[name]), {key: value for key, value in contents.items() if key != name}, notes)


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn any error of a reader within the context into a `ValueError` that names the file."""
    places = (str(path), str(path.parent))
    try:
        yield
    except (OSError, ImportError):  # say by themselves what is missing
        raise
    except ValueError as error:
        if type(error) in (ValueError, UnreadableFile) and any(place in str(error) for place in places):
            raise
        raise ValueError(f"{path} cannot be converted. {error}") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).strip()}".split("\n")[0][:200]
        raise ValueError(
            f"{path}, or a file that belongs to it, is damaged ({reason}); nothing was converted. Fetch it again."
        ) from error


def check_tensors(tensors: Mapping[str, Tensor]) -> None:
    """Raise `ValueError` for tensors that cannot be weights, before anything is computed from them."""
    check_kinds(tensors)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(
                f"{name} holds NaN or infinity; the file is damaged, or its training diverged. Take another checkpoint."
            )
        if name.endswith((OLD_V, NEW_V)) and has_zero_filter(tensor):
            raise ValueError(
                f"A channel of {name.removesuffix(OLD_V).removesuffix(NEW_V)} has only zeros as weights, which weight "
                "norm cannot represent; the file is damaged. Take another checkpoint."
            )


def copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors out of the file that they are mapped from, each into memory of its own, as safetensors needs it."""
    return {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}


def unwrapped(table: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove the prefix of distributed training, if all names have it."""
    names = list(table)
    while names and all(name.startswith(WRAPPER) for name in names):
        names = [name.removeprefix(WRAPPER) for name in names]
    return dict(zip(names, table.values(), strict=True))


def left_out(rest: Mapping[str, Any], *read: str) -> tuple[str, ...]:
    """Return a note on the entries beside the weights that were not read."""
    names = [str(key)[:60] for key, value in rest.items() if key not in read and value is not None]
    return (f"Left out, the state of training beside the weights: {listed(names)}.",) if names else ()


def _read_contents(file: Path) -> tuple[Any, list[str]]:
    """
    Return the content of a file, and the names of the classes that `UnpicklePlaceholder` replaces.

    An archive lists the classes that it asks for. For the format before archives, each failed reading names one.
    """
    placeholders = _classes_in(file)
    while True:
        allowed = [(UnpicklePlaceholder, name) for name in placeholders]
        try:
            with torch.serialization.safe_globals(allowed) if placeholders else nullcontext():
                return read_contents(file, mmap=True), placeholders
        except ValueError as error:
            name = re.search(r"GLOBAL ([\w.]+)", str(error.__cause__))
            if not name or name[1] in placeholders or not _is_harmless(name[1]):
                raise
            if len(placeholders) == MOST_PLACEHOLDERS:
                raise
            placeholders = [*placeholders, name[1]]


def _classes_in(file: Path) -> list[str]:
    """Return the names of the classes that an archive asks for, to be replaced, other than PyTorch's for tensors."""
    try:
        check_pickled(file)  # before anything in it is unpacked
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(file))
    except Exception:  # not an archive, or a damaged one: reading it raises the error
        return []
    return [name for name in names if _is_harmless(name)]


def _is_harmless(name: str) -> bool:
    """Return whether a class may be replaced; others, of the standard library, make the file be refused."""
    module = name.split(".")[0]
    return module in HARMLESS or module not in STANDARD


def _dotted(contents: Mapping, depth: int = 3) -> list[str]:
    """Return the names in nested tables, joined by dots."""
    names = []
    for key, value in contents.items():
        inner = _dotted(value, depth - 1) if isinstance(value, Mapping) and depth else []
        names += [f"{key}.{name}" for name in inner] or [f"{key}"]
    return names
