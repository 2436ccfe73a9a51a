"""JSON files of other projects, checked field by field."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hf_vits.utils.files import exists, obstacle, read_json
from hf_vits.utils.formatting import listed, quoted

MOST = 2**31 - 1
"""The largest whole number that any field may be."""

_MEMBER = re.compile(r"<?\w+\.(?P<name>\w+)(?:: (?:'(?P<value>[^']*)'|\d+)>)?")
"""How Python writes a member of an enumeration, as text and in full."""


@dataclass(frozen=True)
class JsonTable:
    """
    The object in a JSON file, read without raising; all fields are empty if there is no such file.

    Args:
        table (`dict[str, Any]`, *optional*):
            The object; `None` if it cannot be used.
        repeated (`tuple[str, ...]`):
            Keys that an object in the file has more than once.
        problem (`str`):
            Why it cannot be used, without a full stop; names the file.
    """

    table: dict[str, Any] | None = None
    repeated: tuple[str, ...] = ()
    problem: str = ""


def inspect_json(file: Path) -> JsonTable:
    """Read the object in a JSON file, bounded as `read_json` is, or report why it cannot be used."""
    if not exists(file):
        return JsonTable()
    if reason := obstacle(file):
        return JsonTable(problem=f"{file.name} {reason}")
    repeated: list[str] = []

    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            repeated.extend(sorted(name for name, count in counts.items() if count > 1))
        return table

    try:
        table = read_json(file, pairs=without_repeats)
    except (OSError, ValueError) as error:  # too long, unreadable, neither text nor JSON, nested too deeply
        return JsonTable(problem=str(error).replace(str(file), file.name, 1).rstrip(".")[:300])
    if not isinstance(table, dict):
        return JsonTable(problem=f"{file.name} holds one {type(table).__name__}, not a table in braces")
    return JsonTable(table, tuple(repeated))


def read_fields(file: Path, owner: str) -> "JsonReader":
    """
    The fields of a file; `owner`, such as "Piper voice", is what has such a file, for messages.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not JSON, not an object, or far too large.
    """
    if not exists(file):
        raise FileNotFoundError(f"There is no file {file}, which a {owner} needs; give it with `config=` (`--config`).")
    return JsonReader(file, read_json(file), owner)


class JsonReader:
    """Typed access by dotted path; a default of `...` means that the field must be there."""

    def __init__(self, file: Path, data: Any, owner: str):
        """`file` and `owner`, such as "Piper voice", are for messages."""
        if not isinstance(data, Mapping):
            raise ValueError(f"{file} holds a {type(data).__name__}, not a JSON object; it is no {owner}'s file.")
        self.file, self.data, self.owner = file, data, owner

    def refuse(self, path: str, value: Any, allowed: str) -> NoReturn:
        """Raises the error for a value that is not allowed."""
        raise ValueError(f"`{path}` in {self.file} is {quoted(value)}; it must be {allowed}.")

    def value(self, path: str, default: Any = ...) -> Any:
        """Whatever stands there; null is as good as nothing."""
        value = self.data
        for part in path.split("."):
            if not isinstance(value, Mapping):
                self.refuse(path.rpartition(".")[0], value, "an object")
            value = value.get(part)
            if value is None:
                if default is ...:
                    raise ValueError(f"{self.file} has no `{path}`; every {self.owner}'s file has. Fetch it again.")
                return default
        return value

    def whole(self, path: str, default: Any = ..., least: int = 0, most: int = MOST) -> Any:
        """A whole number, or the default."""
        value = self.value(path, default)
        if value is not default and not (is_whole(value) and least <= value <= most):
            self.refuse(path, value, f"a whole number from {least} to {most}")
        return value

    def number(self, path: str, default: float, positive: bool = False) -> float:
        """A finite number from 0 up."""
        value = self.value(path, default)
        real = is_whole(value) and value <= MOST or isinstance(value, float) and math.isfinite(value)
        if not real or value < 0 or (positive and value == 0):
            self.refuse(path, value, "a finite number " + ("above 0" if positive else "from 0 up"))
        return float(value)

    def text(self, path: str, default: Any = ...) -> Any:
        """A string that is not empty, or the default."""
        value = self.value(path, default)
        if value is not default and not (isinstance(value, str) and value):
            self.refuse(path, value, "a string that is not empty")
        return value

    def choice(self, path: str, default: str, allowed: Sequence[str], others: str = "") -> str:
        """
        One of the allowed words, in lower case, or the default.

        A word is read in any case, and as Python writes a member of an enumeration: `Kind.WORD`, `<Kind.WORD: 'word'>`.
        `others` says in an error why there is no more choice.
        """
        value = self.text(path, default)
        member = _MEMBER.fullmatch(value.strip())
        word = member["value"] or member["name"] if member else value.strip()
        found = {name.lower(): name for name in allowed}.get(word.lower())
        if found is None:
            self.refuse(path, value, f"one of {', '.join(allowed)}{others}")
        return found

    def flag(self, path: str, default: Any = ...) -> Any:
        """True or false, or the default."""
        value = self.value(path, default)
        if value is not default and not isinstance(value, bool):
            self.refuse(path, value, "true or false")
        return value

    def wholes(self, path: str, default: Any = ..., least: int = 1) -> Any:
        """A list of whole numbers, one at least, or the default."""
        value = self.value(path, default)
        if value is not default and not (
            isinstance(value, list) and value and all(is_whole(item) and least <= item <= MOST for item in value)
        ):
            self.refuse(path, value, f"a list of whole numbers from {least} up")
        return value

    def rows(self, path: str, default: Any = ...) -> Any:
        """A list of lists of whole numbers from 1 up, one row at least and none of them empty, or the default."""
        value = self.value(path, default)
        if value is not default and not (isinstance(value, list) and value and all(_is_row(row) for row in value)):
            self.refuse(path, value, "a list of lists of whole numbers above 0, one for each kernel")
        return value

    def texts(self, path: str, default: Any = ...) -> Any:
        """A list of strings, or the default."""
        value = self.value(path, default)
        if value is not default and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            self.refuse(path, value, "a list of strings")
        return value

    def table(self, path: str, default: Any = ...) -> Mapping[str, Any]:
        """An object, or the default."""
        value = self.value(path, default)
        if not isinstance(value, Mapping):
            self.refuse(path, value, "an object")
        return value


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, which true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_row(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(is_whole(item) and 0 < item <= MOST for item in value)


def row_names(ids: Mapping[str, Any], count: int, kind: str, place: str) -> tuple[list[str], tuple[str, ...]]:
    """
    {name: id} -> the names of all rows, in their order, and notes.

    A second name for a row is left out; a row without a name is named after its id.

    Args:
        ids (`Mapping[str, Any]`):
            As a file has them.
        count (`int`):
            Rows of the table.
        kind (`str`):
            `"speaker"` or `"language"`.
        place (`str`):
            Where the names are from, for errors.

    Raises:
        ValueError: if an id is no row of the table.
    """
    names: dict[int, str] = {}
    second = []
    for name, row in ids.items():
        if not (is_whole(row) and 0 <= row < count):
            raise ValueError(
                f"{place} gives the {kind} {quoted(name)} the id {quoted(row)}; with {count} of them it must be 0 to "
                f"{count - 1}. Do the files belong together?"
            )
        if row in names:
            second.append(f"{quoted(name)} (id {row} is {quoted(names[row])})")
        else:
            names[row] = str(name)
    unnamed, taken = [row for row in range(count) if row not in names], set(names.values())
    for row in unnamed:
        names[row] = str(row) if str(row) not in taken else f"id {row}"
    notes = []
    if second:
        notes.append(f"Left out, second names of {kind}s: {listed(second)}.")
    if unnamed:
        notes.append(f"{kind.capitalize()}s without a name were named after their ids: {listed([*map(str, unnamed)])}.")
    return [names[row] for row in range(count)], tuple(notes)
