"""Inspect weights without raising: shapes and types from headers, values on demand, and problems as a list.

`inspect_file` reads one file and `inspect_folder` the weights of a model folder, sharded or not. Diagnostics build on
these; `checkpoint.read_checkpoint` is for converting, and raises.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES, check_header, check_kinds, read_contents, shard_names
from hf_vits.utils.files import UnreadableFile, exists, member, obstacle
from hf_vits.utils.formatting import listed, quoted

DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16"}
"""Types of weights, as `.safetensors` files name them."""

MOST_PICKLE = 5_000_000
"""Bytes of the pickle of a table of weights, without the data of its tensors; a model's has a hundred thousand."""


@dataclass(frozen=True)
class Problem:
    """
    Why weights, or a part of them, could not be read.

    Args:
        kind (`str`):
            `"no_weights"`, `"not_a_file"`, `"damaged"`, `"unsafe"` (it refers to code, which was not run),
            `"oversized"` (it would take more memory than it has bytes), `"no_tensors"` (it holds something other than a
            table of tensors), `"index"` or `"missing_shards"`.
        text (`str`):
            A sentence without its full stop; it names the file.
        files (`tuple[str, ...]`):
            Names of the files concerned.
    """

    kind: str
    text: str
    files: tuple[str, ...] = ()


@dataclass
class TensorTable:
    """
    Names, shapes and types of tensors; values stay in their files until `values` reads them.

    Args:
        shapes (`dict[str, tuple[int, ...]]`):
            By tensor name.
        dtypes (`dict[str, str]`):
            As `.safetensors` files name them, such as `"F32"`; those of other kinds of numbers too.
        files (`list[Path]`):
            The `.safetensors` files.
        mapped (`dict[str, Tensor]`):
            Tensors of pickled files, mapped into memory where the file is an archive.
        problems (`list[Problem]`):
            What could not be read; the table is incomplete if there are any.
    """

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    mapped: dict[str, Tensor] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield name and tensor, one in memory at a time; tensors of types that weights do not have are skipped."""
        yield from ((name, tensor) for name, tensor in self.mapped.items() if tensor.dtype in DTYPES)
        for file in self.files:
            with safe_open(file, framework="pt") as weights:
                for name in weights.keys():  # noqa: SIM118 - it is not a mapping
                    if self.dtypes.get(name) in DTYPES.values():
                        yield name, weights.get_tensor(name)

    def with_prefix(self, prefix: str) -> "TensorTable":
        """Return shapes and types of the tensors whose names begin so, without values."""
        names = [name for name in self.shapes if name.startswith(prefix)]
        return TensorTable({name: self.shapes[name] for name in names}, {name: self.dtypes[name] for name in names})


def inspect_folder(folder: Path) -> TensorTable:
    """Inspect the weights that `from_pretrained` loads from a folder. Nothing in the files is executed."""
    name = next((name for name in (*SAFE_NAMES, *PICKLE_NAMES) if exists(folder / name)), None)
    if name is None:
        text = f"There are no weights, that is, none of {', '.join((*SAFE_NAMES, *PICKLE_NAMES))}"
        return TensorTable(problems=[Problem("no_weights", text)])
    return _inspect_index(folder, name) if name.endswith(".json") else inspect_file(folder / name)


def inspect_file(file: Path) -> TensorTable:
    """Inspect one `.safetensors` or pickled file. Nothing in it is executed."""
    if reason := obstacle(file):
        text = f"{file.name} {reason}; a file is needed"
        return TensorTable(problems=[Problem("not_a_file", text, (file.name,))])
    try:
        return _inspect_safetensors(file) if file.suffix == ".safetensors" else _inspect_pickle(file)
    except Exception as error:  # a damaged file can make the readers fail in any way
        kind = getattr(error, "kind", "damaged")
        text = str(error).strip().split("\n")[0].replace(str(file), file.name)[:300].rstrip(".")
        text = text if file.name in text else f"{file.name} cannot be read ({text or type(error).__name__})"
        return TensorTable(problems=[Problem(kind, text, (file.name,))])


def _inspect_safetensors(file: Path) -> TensorTable:
    table = TensorTable(files=[file])
    check_header(file)
    with safe_open(file, framework="pt") as weights:
        for name in weights.keys():  # noqa: SIM118 - it is not a mapping
            part = weights.get_slice(name)
            table.shapes[name], table.dtypes[name] = tuple(part.get_shape()), str(part.get_dtype())
    return table


def _inspect_pickle(file: Path) -> TensorTable:
    contents = read_contents(file, MOST_PICKLE, mmap=True)
    if not is_tensor_table(contents):
        kind = type(contents).__name__
        held = f"the entries {quoted(list(contents))}" if isinstance(contents, Mapping) else f"one {kind}"
        raise UnreadableFile(f"{file.name} holds no plain table of tensors but {held}", "no_tensors")
    check_kinds(contents, f" in {file.name}", dtypes=None)
    storages = [tensor.untyped_storage() for tensor in contents.values()]
    if sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values()) > (size := file.stat().st_size):
        raise UnreadableFile(f"{file.name} has {size:,} bytes but its tensors claim more", "oversized")
    return TensorTable(
        {name: tuple(tensor.shape) for name, tensor in contents.items()},
        {name: DTYPES.get(tensor.dtype, str(tensor.dtype)) for name, tensor in contents.items()},
        mapped=dict(contents),
    )


def _inspect_index(folder: Path, name: str) -> TensorTable:
    if reason := obstacle(folder / name):
        return TensorTable(problems=[Problem("not_a_file", f"{name} {reason}; a file is needed", (name,))])
    try:
        places, shards = shard_names(folder / name)
    except (OSError, ValueError) as error:
        text = str(error).replace(str(folder / name), name).rstrip(".")
        return TensorTable(problems=[Problem("index", text, (name,))])
    whole = TensorTable()
    missing = [shard for shard in shards if not exists(folder / shard)]
    if missing:
        text = f"{name} puts tensors into files that are missing ({len(missing)}): {listed(missing)}"
        whole.problems.append(Problem("missing_shards", text, tuple(missing)))
    for shard in sorted(set(shards) - set(missing)):
        try:
            part = inspect_file(member(folder, shard, folder / name))
        except (OSError, ValueError) as error:
            part = TensorTable(problems=[Problem("not_a_file", str(error).rstrip("."), (shard,))])
        whole.shapes |= part.shapes
        whole.dtypes |= part.dtypes
        whole.mapped |= part.mapped
        whole.files += part.files
        whole.problems += part.problems
    if not whole.problems and (lost := sorted(places.keys() - whole.shapes.keys())):
        text = f"{name} lists tensors that its files do not hold ({len(lost)}): {listed(lost)}"
        whole.problems.append(Problem("index", text, (name,)))
    return whole


def is_tensor_table(contents: object) -> bool:
    """Return whether it maps names to tensors, and nothing else."""
    return isinstance(contents, Mapping) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in contents.items()
    )
