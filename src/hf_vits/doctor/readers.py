"""JSON files, read without trust: bounded, never followed into a pipe, and what is wrong with them said in words."""

import os
import pickletools
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES
from hf_vits.utils import files
from hf_vits.utils.archives import check_pickled
from hf_vits.utils.files import obstacle
from hf_vits.utils.formatting import quoted


@dataclass(frozen=True)
class JsonFile:
    """The table in a file, keys that it holds more than once, why it cannot be used; all empty if it is absent."""

    table: dict[str, Any] | None = None
    repeated: tuple[str, ...] = ()
    problem: str = ""


def exists(file: Path) -> bool:
    """Whether there is anything of that name, be it a link to nowhere."""
    return os.path.lexists(file)


def read_json(file: Path) -> JsonFile:
    """Reads a table, or says why not. An absent file is no problem here."""
    if not exists(file):
        return JsonFile()
    if why := obstacle(file):
        return JsonFile(problem=f"{file.name} {why}")
    repeated: list[str] = []

    def paired(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            times = Counter(name for name, _ in pairs)
            repeated.extend(sorted(name for name, number in times.items() if number > 1))
        return table

    try:
        table = files.read_json(file, pairs=paired)
    except (OSError, ValueError) as error:  # too long, unreadable, neither text nor JSON, nested without an end
        return JsonFile(problem=str(error).replace(f"{file}", file.name, 1).rstrip(".")[:300])
    if not isinstance(table, dict):
        return JsonFile(problem=f"{file.name} holds one {type(table).__name__}, not a table in braces")
    return JsonFile(table, tuple(repeated))


ZIP = b"PK\x03\x04"

ALLOWED = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch\.nn\.parameter Parameter"
    r"|torch (\w+Storage|Size)|torch\.storage (Typed|Untyped)Storage"
)
"""What a table of weights names; a pickle that names anything else is not read."""

MOST_PICKLE = 5_000_000
"""Bytes of the pickle itself, without the tensors' numbers; a voice's has a hundred thousand."""


class Unreadable(ValueError):
    """A file that was not read, with the id of the finding that says so."""

    def __init__(self, id: str, message: str):
        super().__init__(message)
        self.id = id


def read_pickle(file: Path) -> dict[str, Tensor]:
    """The tensors of a pickled file, mapped into memory if it is an archive; raises `Unreadable` for anything else."""
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            is_zip = stream.read(4) == ZIP
            stream.seek(0)
            # Before archives, PyTorch wrote five pickles one after another, and the numbers behind them.
            pickled = _pickle_in(file, size) if is_zip else BytesIO(stream.read(MOST_PICKLE))
            _check_names(file, pickled, pickles=1 if is_zip else 5)
        table = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zip)
    except Unreadable:
        raise
    except Exception as error:  # a damaged file can make the readers fail in any way, and without a word
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise Unreadable("files.unreadable_weights", f"{file.name} cannot be read ({reason})") from error
    return _checked(file, table, size)


def check_archive(file: Path) -> None:
    """Raises `Unreadable` unless the file is a whole archive of PyTorch."""
    try:
        _pickle_in(file, file.stat().st_size)
        check_pickled(file)
    except Unreadable:
        raise
    except Exception as error:  # as above
        raise Unreadable("files.unreadable_weights", f"{file.name} cannot be read ({str(error)[:200]})") from error


def _pickle_in(file: Path, size: int) -> BinaryIO:
    """The pickle of an archive whose entries are no larger than itself: PyTorch stores them, it compresses nothing."""
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        total = sum(entry.file_size for entry in entries)
        if total > size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise Unreadable(
                "files.zip_bomb",
                f"{file.name} has {size:,} bytes but would unpack to {total:,}, or is compressed, as PyTorch's files "
                "never are; it was not unpacked",
            )
        names = [entry for entry in entries if entry.filename.split("/")[-1] == "data.pkl"]
        if len(names) != 1 or names[0].file_size > MOST_PICKLE:
            raise Unreadable("files.unreadable_weights", f"{file.name} is an archive, but not one of PyTorch")
        return BytesIO(archive.read(names[0]))


def _check_names(file: Path, stream: BinaryIO, pickles: int) -> None:
    """Looks at what the pickle names, without running it."""
    for _ in range(pickles):
        for code, argument, _ in pickletools.genops(stream):
            if code.name == "STACK_GLOBAL" or code.name in ("GLOBAL", "INST") and not ALLOWED.fullmatch(argument):
                named = quoted(argument) if argument else "something by names made up as it runs"
                raise Unreadable(
                    "files.pickle_code",
                    f"{file.name} names {named}, for which a table of weights has no use; nothing in it was run",
                )


def _checked(file: Path, table: object, size: int) -> dict[str, Tensor]:
    """A table of tensors that have as many numbers as they claim; copies of one are counted once."""
    tensors = isinstance(table, Mapping) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in table.items()
    )
    if not tensors:
        kind = f"the entries {quoted(list(table))}" if isinstance(table, Mapping) else f"one {type(table).__name__}"
        raise Unreadable("files.no_table", f"{file.name} holds no plain table of tensors but {kind}")
    storages = {}
    for name, tensor in table.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise Unreadable("files.no_table", f"{name} in {file.name} is a tensor of a kind that weights are not of")
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        if storage.nbytes() < tensor.numel() * tensor.element_size():
            raise Unreadable(
                "files.unreadable_weights",
                f"{name} in {file.name} claims the shape {list(tensor.shape)}, but the file has fewer numbers for it",
            )
    if sum(storages.values()) > size:
        raise Unreadable("files.zip_bomb", f"{file.name} has {size:,} bytes but its tensors claim more")
    return dict(table)


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
