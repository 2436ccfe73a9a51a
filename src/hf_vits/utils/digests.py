"""What the files of a folder were when they were written, so that a later change of them is noticed."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hf_vits.utils.new_files import new_file

RECORD = ".digests.json"
"""File of a folder that holds the SHA-256 of its files, and the state of each when it was last read."""


def record_digests(folder: Path, names: Iterable[str]) -> None:
    """Record the digests of these files of a folder; a folder that cannot be written to stays without a record."""
    _write(folder, {name: [sha256(folder / name), *_state(folder / name)] for name in names})


def changed_file(folder: Path, names: Iterable[str]) -> str | None:
    """
    Find the first file that is not what was recorded; `None` if there is none.

    A file is only read if its size, its times or its place on the disk are others than when it was last read. A folder
    without a record is taken as it is, and gets one.
    """
    names = list(names)
    recorded = _read(folder)
    if recorded is None:
        record_digests(folder, names)
        return None
    known = {name: recorded[name] for name in names if name in recorded}
    seen = {name: [digest, *_state(folder / name)] for name, (digest, *_) in known.items()}
    for name in [name for name in known if seen[name] != known[name]]:
        if sha256(folder / name) != known[name][0]:
            return name
    if seen != known:
        _write(folder, {**recorded, **seen})
    return None


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(file: Path) -> list[int]:
    """Return what a write to the file changes: its size, the times of its content and of its entry, its number."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _read(folder: Path) -> dict[str, list] | None:
    """Return the record of a folder; `None` if there is none, or none that can be read."""
    try:
        table = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    whole = isinstance(table, dict) and all(isinstance(entry, list) and len(entry) == 5 for entry in table.values())
    return table if whole else None


def _write(folder: Path, table: dict[str, list]) -> None:
    with suppress(OSError), new_file(folder / RECORD) as staged:
        staged.write_text(json.dumps(table), encoding="utf-8")


VOLATILE = ("transformers_version", "_name_or_path", "name_or_path", "dtype", "architectures")
"""Fields of a configuration that say nothing about the sound."""


def voice_digest(model) -> str:
    """Digest of the weights and the configuration of a `VitsModel`: 12 hexadecimal digits."""
    import torch

    config = {name: value for name, value in model.config.to_dict().items() if name not in VOLATILE}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]
