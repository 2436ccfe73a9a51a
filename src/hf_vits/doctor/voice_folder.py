"""The tensors of a voice: names, shapes and types from the header; values one after another, when asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.doctor.expected_shapes import Layers, ShapeMatch
from hf_vits.doctor.findings import Diagnostic, error, note, warning
from hf_vits.doctor.fixes import saved_again
from hf_vits.doctor.readers import Json, Unreadable, exists, read_pickle
from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES, check_header, shard_names
from hf_vits.utils.files import member, obstacle
from hf_vits.utils.formatting import listed

AGAIN = "Fetch the file again, or take another checkpoint."

TYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
}
"""Names as in `.safetensors` files."""


@dataclass
class Tensors:
    """Shapes and types by name; the values stay in their files until `values` reads them."""

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    pickled: dict[str, Tensor] = field(default_factory=dict)

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Name and tensor, one in memory at a time; those of types that no weights have are left out."""
        yield from self.pickled.items()
        for file in self.files:
            with safe_open(file, framework="pt") as weights:
                for name in weights.keys():  # noqa: SIM118 - it is no mapping
                    if self.types.get(name) in TYPES.values():
                        yield name, weights.get_tensor(name)

    def only(self, begins: str) -> "Tensors":
        """Shapes and types of the tensors whose names begin so; without values."""
        names = [name for name in self.shapes if name.startswith(begins)]
        return Tensors({name: self.shapes[name] for name in names}, {name: self.types[name] for name in names})


def read_tensors(folder: Path) -> tuple[Tensors | None, list[Diagnostic]]:
    """The weights that a folder is loaded from, `None` if they cannot be read, and findings on their files."""
    there = [name for name in (*SAFE_NAMES, *PICKLE_NAMES) if exists(folder / name)]
    if not there:
        return None, [
            error(
                "files.no_weights",
                f"There are no weights, that is, none of {', '.join((*SAFE_NAMES, *PICKLE_NAMES))}.",
                "Fetch the weights too; or give the folder that has them.",
            )
        ]
    name, findings = there[0], []
    tensors, found = _of_index(folder, name) if name.endswith(".json") else _of_file(folder / name)
    findings += found
    if name in PICKLE_NAMES and tensors is not None:
        findings.append(
            warning(
                "files.pickle",
                f"The weights are pickled ({name}), a format that can hold code; it was read without running any.",
                "Save the voice again, as .safetensors.",
                saved_again(folder),
            )
        )
    if name in SAFE_NAMES and (others := [other for other in there if other in PICKLE_NAMES]):
        findings.append(
            note(
                "files.both",
                f"Weights are there twice: {name}, which is loaded, and {listed(others)}, which is not looked at.",
                f"Remove {listed(others)} if both hold the same.",
            )
        )
    return tensors, findings


def read_one(file: Path) -> tuple[Tensors | None, list[Diagnostic]]:
    """The tensors of one file, whatever it is called."""
    return _of_file(file)


def _of_file(file: Path) -> tuple[Tensors | None, list[Diagnostic]]:
    if why := obstacle(file):
        return None, [error("files.not_a_file", f"{file.name} {why}; a file is needed.", AGAIN, file=file.name)]
    try:
        return (_of_safetensors(file) if file.suffix == ".safetensors" else _of_pickle(file)), []
    except Unreadable as found:
        return None, [error(found.id, f"{found}.", AGAIN, file=file.name)]


def _of_safetensors(file: Path) -> Tensors:
    tensors = Tensors(files=[file])
    try:
        check_header(file)
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - it is no mapping
                part = weights.get_slice(name)
                tensors.shapes[name], tensors.types[name] = tuple(part.get_shape()), str(part.get_dtype())
    except Exception as problem:  # a damaged file can make the reader fail in any way
        raise Unreadable("files.unreadable_weights", f"{file.name} cannot be read ({str(problem)[:200]})") from problem
    return tensors


def _of_pickle(file: Path) -> Tensors:
    pickled = read_pickle(file)
    return Tensors(
        {name: tuple(tensor.shape) for name, tensor in pickled.items()},
        {name: TYPES.get(tensor.dtype, str(tensor.dtype)) for name, tensor in pickled.items()},
        pickled=pickled,
    )


def _of_index(folder: Path, name: str) -> tuple[Tensors | None, list[Diagnostic]]:
    if why := obstacle(folder / name):
        return None, [error("files.not_a_file", f"{name} {why}; a file is needed.", AGAIN, file=name)]
    try:
        places, shards = shard_names(folder / name)
    except (OSError, ValueError) as problem:
        return None, [error("files.index", f"{str(problem).replace(f'{folder / name}', name)}", AGAIN, file=name)]
    whole, findings = Tensors(), []
    absent = [shard for shard in shards if not exists(folder / shard)]
    if absent:
        text = f"{name} puts tensors into files that are not there ({len(absent)}): {listed(absent)}."
        findings.append(error("files.shard_missing", text, "Fetch them too.", files=absent))
    for shard in sorted(set(shards) - set(absent)):
        try:
            member(folder, shard, folder / name)
        except (OSError, ValueError) as problem:
            findings.append(error("files.not_a_file", f"{problem}", AGAIN, file=shard))
            continue
        part, found = _of_file(folder / shard)
        findings += found
        if part is not None:
            whole.shapes |= part.shapes
            whole.types |= part.types
            whole.pickled |= part.pickled
            whole.files += part.files
    if not findings and (lost := sorted(places.keys() - whole.shapes.keys())):
        text = f"{name} lists tensors that its files do not hold ({len(lost)}): {listed(lost)}."
        findings.append(error("files.index", text, AGAIN, file=name))
    return (None if findings else whole), findings


@dataclass
class Folder:
    """
    A folder that is meant to be a voice; what could not be read is `None` or empty.

    Args:
        path (`Path`):
            The folder.
        entries (`frozenset[str]`):
            Names of what lies in it.
        has_config (`bool`):
            Whether config.json could be read.
        raw, good_fields (`dict[str, Any]`):
            All of config.json, and the fields of ours in it that can be used.
        bad_fields (`dict[str, str]`):
            Why the others cannot.
        config ([`VitsConfig`], *optional*):
            The configuration, if a model can have it.
        tensors ([`Tensors`], *optional*):
            All that is in the weights; `layers` are those of the voice.
        told (`dict[str, Any]`):
            Fields as the tensors say them.
        fit ([`Fit`], *optional*):
            How tensors and configuration go together.
        vocabulary, tokenizer ([`Json`]):
            vocab.json and tokenizer_config.json.
    """

    path: Path
    entries: frozenset[str] = frozenset()
    has_config: bool = False
    raw: dict[str, Any] = field(default_factory=dict)
    good_fields: dict[str, Any] = field(default_factory=dict)
    bad_fields: dict[str, str] = field(default_factory=dict)
    config: VitsConfig | None = None
    tensors: Tensors | None = None
    layers: Layers = field(default_factory=Layers)
    told: dict[str, Any] = field(default_factory=dict)
    fit: ShapeMatch | None = None
    vocabulary: Json = field(default_factory=Json)
    tokenizer: Json = field(default_factory=Json)

    @property
    def believed(self) -> VitsConfig | None:
        """The configuration that the weights have, as far as it is known."""
        return self.fit.config if self.fit is not None else self.config
