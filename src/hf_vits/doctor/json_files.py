"""JSON files, read without trust: bounded, never followed into a pipe, and what is wrong with them said in words."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_vits import files
from hf_vits.files import obstacle


@dataclass(frozen=True)
class Json:
    """The table in a file, keys that it holds more than once, why it cannot be used; all empty if it is absent."""

    table: dict[str, Any] | None = None
    repeated: tuple[str, ...] = ()
    problem: str = ""


def exists(file: Path) -> bool:
    """Whether there is anything of that name, be it a link to nowhere."""
    return os.path.lexists(file)


def read_json(file: Path) -> Json:
    """Reads a table, or says why not. An absent file is no problem here."""
    if not exists(file):
        return Json()
    if why := obstacle(file):
        return Json(problem=f"{file.name} {why}")
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
        return Json(problem=str(error).replace(f"{file}", file.name, 1).rstrip(".")[:300])
    if not isinstance(table, dict):
        return Json(problem=f"{file.name} holds one {type(table).__name__}, not a table in braces")
    return Json(table, tuple(repeated))
