"""Record digests of the files of a folder, and detect later changes."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hf_vits.utils.atomic_file import new_file

RECORD = ".digests.json"
"""File with the SHA-256 of the files of a folder, and the state of each when it was last read."""


def record_digests(folder: Path, names: Iterable[str]) -> None:
    """Record the digests of these files of a folder; a folder that is not writable gets no record."""
    _write(folder / RECORD, {name: [sha256(folder / name), *_state(folder / name)] for name in names})


def changed_file(folder: Path, names: Iterable[str]) -> str | None:
    """
    Return the first file that differs from its record; `None` if there is none.

    A file is read only if its size, times or inode changed since it was last read. A folder without a record gets one.
    """
    names = list(names)
    recorded = _read(folder / RECORD)
    if recorded is None:
        record_digests(folder, names)
        return None
    known = {name: recorded[name] for name in names if name in recorded}
    seen = {name: [digest, *_state(folder / name)] for name, (digest, *_) in known.items()}
    for name in [name for name in known if seen[name] != known[name]]:
        if sha256(folder / name) != known[name][0]:
            return name
    if seen != known:
        _write(folder / RECORD, {**recorded, **seen})
    return None


def has_record(folder: Path) -> bool:
    """Return True if a folder has a record that can be read."""
    return _read(folder / RECORD) is not None


def known_digests(folder: Path, names: Iterable[str], record: Path) -> dict[str, str]:
    """Return the SHA-256 of files of a folder by name, reading only those that changed since the record was written."""
    recorded = _read(record) or {}
    states = {name: _state(folder / name) for name in names}
    same = {name for name, state in states.items() if recorded.get(name, [])[1:] == state}
    table = {
        name: recorded[name] if name in same else [sha256(folder / name), *state] for name, state in states.items()
    }
    if table != recorded:
        _write(record, table)
    return {name: entry[0] for name, entry in table.items()}


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def json_digest(value: Any) -> str:
    """Return the digest of a value that JSON can express, 12 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _state(file: Path) -> list[int]:
    """Return what a write changes: size, modification and change time, and inode of a file."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _read(record: Path) -> dict[str, list] | None:
    """Return a record; `None` if there is none that can be read."""
    try:
        table = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    whole = isinstance(table, dict) and all(isinstance(entry, list) and len(entry) == 5 for entry in table.values())
    return table if whole else None


def _write(record: Path, table: dict[str, list]) -> None:
    with suppress(OSError), new_file(record) as staged:
        staged.write_text(json.dumps(table), encoding="utf-8")


VOLATILE = ("transformers_version", "_name_or_path", "name_or_path", "dtype", "architectures")
"""Fields of a configuration that do not affect the sound."""


def voice_digest(model) -> str:
    """Return the digest of the weights and configuration of a `VitsModel`, 12 hexadecimal digits."""
    import torch

    config = {name: value for name, value in model.config.to_dict().items() if name not in VOLATILE}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]
