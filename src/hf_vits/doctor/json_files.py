"""JSON files, read without trust: bounded, never followed into a pipe, and what is wrong with them said in words."""

import json
import os
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_BYTES = 20_000_000
"""Of a JSON file; the largest vocabularies have some thousand symbols."""


@dataclass(frozen=True)
class Json:
    """The table in a file, keys that it holds more than once, why it cannot be used; all empty if it is absent."""

    table: dict[str, Any] | None = None
    repeated: tuple[str, ...] = ()
    problem: str = ""


def exists(file: Path) -> bool:
    """Whether there is anything of that name, be it a link to nowhere."""
    return os.path.lexists(file)


def obstacle(file: Path) -> str:
    """Why something of that name is no file that can be read; empty if it is one."""
    try:
        mode = os.stat(file).st_mode
    except OSError as error:
        return f"cannot be opened ({error.strerror or error})"
    if not stat.S_ISREG(mode):
        return "is a folder" if stat.S_ISDIR(mode) else "is not an ordinary file"
    return "" if os.access(file, os.R_OK) else "may not be read by this user"


def read_json(file: Path) -> Json:
    """Reads a table, or says why not. An absent file is no problem here."""
    if not exists(file):
        return Json()
    if why := obstacle(file):
        return Json(problem=f"{file.name} {why}")
    if (size := file.stat().st_size) > MOST_BYTES:
        return Json(problem=f"{file.name} has {size:,} bytes; those of a voice have less than {MOST_BYTES:,}")
    repeated: list[str] = []

    def paired(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            times = Counter(name for name, _ in pairs)
            repeated.extend(sorted(name for name, number in times.items() if number > 1))
        return table

    try:
        table = json.loads(file.read_bytes(), object_pairs_hook=paired)
    except (OSError, ValueError, RecursionError) as error:  # unreadable, neither text nor JSON, nested without an end
        return Json(problem=f"{file.name} is not JSON ({str(error)[:100]})")
    if not isinstance(table, dict):
        return Json(problem=f"{file.name} holds one {type(table).__name__}, not a table in braces")
    return Json(table, tuple(repeated))
