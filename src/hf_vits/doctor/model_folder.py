"""The content of a model folder, read without trust: configuration, tokenizer files, and shapes of tensors."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.doctor.diagnostics import Diagnostic, error, note, warning
from hf_vits.doctor.expected_shapes import Layers, ShapeMatch
from hf_vits.doctor.fixes import resave
from hf_vits.doctor.readers import JsonFile, Unreadable, exists, read_pickle
from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES, check_header, shard_names
from hf_vits.utils.files import member, obstacle
from hf_vits.utils.formatting import listed

REFETCH = "Download the file again, or use another checkpoint."

DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16"}
"""Types that weights may have, and their names in `.safetensors` files."""


@dataclass
class Tensors:
    """Shapes and types by name; the values stay in their files until `values` reads them."""

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    pickled: dict[str, Tensor] = field(default_factory=dict)

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield name and tensor, one in memory at a time; those of types that weights may not have are left out."""
        yield from self.pickled.items()
        for file in self.files:
            with safe_open(file, framework="pt") as weights:
                for name in weights.keys():  # noqa: SIM118 - it is no mapping
                    if self.types.get(name) in DTYPES.values():
                        yield name, weights.get_tensor(name)

    def only(self, prefix: str) -> "Tensors":
        """Return shapes and types of the tensors whose names begin with the prefix; without values."""
        names = [name for name in self.shapes if name.startswith(prefix)]
        return Tensors({name: self.shapes[name] for name in names}, {name: self.types[name] for name in names})


@dataclass
class ModelFolder:
    """
    A folder that is meant to hold a model; what could not be read is `None` or empty.

    Args:
        path (`Path`):
            The folder.
        entries (`frozenset[str]`):
            Names of the files and folders in it.
        has_config (`bool`):
            Whether config.json could be read.
        raw, valid_fields (`dict[str, Any]`):
            All of config.json, and the fields of [`VitsConfig`] in it that are valid each by itself.
        invalid_fields (`dict[str, str]`):
            The reason for each other field.
        config ([`VitsConfig`], *optional*):
            The configuration, if a model can have it.
        tensors ([`Tensors`], *optional*):
            All tensors in the files of weights; `layers` are those of the model.
        inferred (`dict[str, Any]`):
            Fields of the configuration that the shapes determine.
        match ([`ShapeMatch`], *optional*):
            The differences between tensors and configuration.
        vocabulary, tokenizer ([`JsonFile`]):
            vocab.json and tokenizer_config.json.
    """

    path: Path
    entries: frozenset[str] = frozenset()
    has_config: bool = False
    raw: dict[str, Any] = field(default_factory=dict)
    valid_fields: dict[str, Any] = field(default_factory=dict)
    invalid_fields: dict[str, str] = field(default_factory=dict)
    config: VitsConfig | None = None
    tensors: Tensors | None = None
    layers: Layers = field(default_factory=Layers)
    inferred: dict[str, Any] = field(default_factory=dict)
    match: ShapeMatch | None = None
    vocabulary: JsonFile = field(default_factory=JsonFile)
    tokenizer: JsonFile = field(default_factory=JsonFile)

    @property
    def effective_config(self) -> VitsConfig | None:
        """The configuration of the weights, as far as it is known."""
        return self.match.config if self.match is not None else self.config


def read_tensors(folder: Path) -> tuple[Tensors | None, list[Diagnostic]]:
    """Return the weights a folder is loaded from, `None` if they cannot be read, and diagnostics of their files."""
    present = [name for name in (*SAFE_NAMES, *PICKLE_NAMES) if exists(folder / name)]
    if not present:
        message = f"There are no weights, that is, none of {', '.join((*SAFE_NAMES, *PICKLE_NAMES))}."
        advice = "Download the weights too, or give the folder that has them."
        return None, [error("files.no_weights", message, advice)]
    name = present[0]
    tensors, diagnostics = read_shards(folder, name) if name.endswith(".json") else read_file(folder / name)
    if name in PICKLE_NAMES and tensors is not None:
        message = f"The weights are pickled ({name}), a format that can hold code; it was read without running any."
        diagnostics.append(warning("files.pickle", message, "Save the model as .safetensors.", **resave(folder)))
    if name in SAFE_NAMES and (others := [other for other in present if other in PICKLE_NAMES]):
        message = f"There are two sets of weights: {name}, which is loaded, and {listed(others)}, which is ignored."
        diagnostics.append(note("files.two_sets", message, f"Remove {listed(others)} if both hold the same."))
    return tensors, diagnostics


def read_file(file: Path) -> tuple[Tensors | None, list[Diagnostic]]:
    """Return the tensors of one file, `None` if they cannot be read, and why."""
    if why := obstacle(file):
        message = f"{file.name} {why}; a file is needed."
        return None, [error("files.not_a_file", message, REFETCH, file=file.name)]
    try:
        return (_read_safetensors(file) if file.suffix == ".safetensors" else _read_pickle(file)), []
    except Unreadable as problem:
        return None, [error(problem.id, f"{problem}.", REFETCH, file=file.name)]


def _read_safetensors(file: Path) -> Tensors:
    tensors = Tensors(files=[file])
    try:
        check_header(file)
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - it is no mapping
                entry = weights.get_slice(name)
                tensors.shapes[name], tensors.types[name] = tuple(entry.get_shape()), str(entry.get_dtype())
    except Exception as problem:  # a damaged file can make the reader fail in any way
        raise Unreadable("files.unreadable_weights", f"{file.name} cannot be read ({str(problem)[:200]})") from problem
    return tensors


def _read_pickle(file: Path) -> Tensors:
    pickled = read_pickle(file)
    shapes = {name: tuple(tensor.shape) for name, tensor in pickled.items()}
    types = {name: DTYPES.get(tensor.dtype, str(tensor.dtype)) for name, tensor in pickled.items()}
    return Tensors(shapes, types, pickled=pickled)


def read_shards(folder: Path, index: str) -> tuple[Tensors | None, list[Diagnostic]]:
    """Return the tensors of all files that an index names, `None` if any cannot be read, and why."""
    if why := obstacle(folder / index):
        return None, [error("files.not_a_file", f"{index} {why}; a file is needed.", REFETCH, file=index)]
    try:
        locations, shards = shard_names(folder / index)
    except (OSError, ValueError) as problem:
        message = str(problem).replace(f"{folder / index}", index)
        return None, [error("files.index", message, REFETCH, file=index)]
    whole, diagnostics = Tensors(), []
    if absent := [shard for shard in shards if not exists(folder / shard)]:
        message = f"{index} names files that are not there ({len(absent)}): {listed(absent)}."
        diagnostics.append(error("files.shard_missing", message, "Download them too.", files=absent))
    for shard in sorted(set(shards) - set(absent)):
        try:
            member(folder, shard, folder / index)
        except (OSError, ValueError) as problem:
            diagnostics.append(error("files.not_a_file", f"{problem}", REFETCH, file=shard))
            continue
        tensors, found = read_file(folder / shard)
        diagnostics += found
        if tensors is not None:
            whole.shapes |= tensors.shapes
            whole.types |= tensors.types
            whole.pickled |= tensors.pickled
            whole.files += tensors.files
    if not diagnostics and (lost := sorted(locations.keys() - whole.shapes.keys())):
        message = f"{index} lists tensors that its files do not hold ({len(lost)}): {listed(lost)}."
        diagnostics.append(error("files.index", message, REFETCH, file=index))
    return (None if diagnostics else whole), diagnostics
