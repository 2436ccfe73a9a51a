"""Validate the JSON files of other projects, field by field."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hf_vits.utils.files import exists, obstacle, read_json
from hf_vits.utils.formatting import listed, quoted

MOST = 2**31 - 1
"""Largest value of a whole number in any field."""

_MEMBER = re.compile(r"<?\w+\.(?P<name>\w+)(?:: (?:'(?P<value>[^']*)'|\d+)>)?")
"""A member of an enumeration as Python writes it, as text and in full."""


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
    Read the object in a file; `owner`, such as "Piper voice", is what has such a file, for messages.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not JSON, not an object, or far too large.
    """
    if not exists(file):
        raise FileNotFoundError(f"There is no file {file}, which a {owner} needs; give it with `config=` (`--config`).")
    return JsonReader(file, read_json(file), owner)


class JsonReader:
    """Access values by dotted path and type; a default of `...` means that the field is required."""

    def __init__(self, file: Path, data: Any, owner: str):
        """Keep `file` and `owner`, such as "Piper voice", for messages."""
        if not isinstance(data, Mapping):
            raise ValueError(f"{file} holds a {type(data).__name__}, not a JSON object; it is no {owner}'s file.")
        self.file, self.data, self.owner = file, data, owner

    def refuse(self, path: str, value: Any, allowed: str) -> NoReturn:
        """Raise the error for a value that is not allowed."""
        raise ValueError(f"`{path}` in {self.file} is {quoted(value)}; it must be {allowed}.")

    def value(self, path: str, default: Any = ...) -> Any:
        """Return any value; null counts as missing."""
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

    def _checked(self, path: str, default: Any, fits: Callable[[Any], bool], allowed: str) -> Any:
        value = self.value(path, default)
        if value is not default and not fits(value):
            self.refuse(path, value, allowed)
        return value

    def whole(self, path: str, default: Any = ..., least: int = 0, most: int = MOST) -> Any:
        """Return a whole number, or the default."""
        return self._checked(
            path, default, lambda value: is_whole(value, least, most), f"a whole number from {least} to {most}"
        )

    def number(self, path: str, default: float, positive: bool = False) -> float:
        """Return a finite number from 0 up."""
        value = self.value(path, default)
        real = is_whole(value, most=MOST) or isinstance(value, float) and math.isfinite(value)
        if not real or value < 0 or (positive and value == 0):
            self.refuse(path, value, "a finite number " + ("above 0" if positive else "from 0 up"))
        return float(value)

    def text(self, path: str, default: Any = ...) -> Any:
        """Return a string that is not empty, or the default."""
        return self._checked(
            path, default, lambda value: isinstance(value, str) and bool(value), "a string that is not empty"
        )

    def choice(self, path: str, default: str, allowed: Sequence[str], reason: str = "") -> str:
        """
        Return one of the allowed words, in lower case, or the default.

        A word is read in any case, and as Python writes a member of an enumeration: `Kind.WORD`, `<Kind.WORD: 'word'>`.
        `reason` says in an error why there are no other choices.
        """
        value = self.text(path, default)
        member = _MEMBER.fullmatch(value.strip())
        word = member["value"] or member["name"] if member else value.strip()
        match = {name.lower(): name for name in allowed}.get(word.lower())
        if match is None:
            self.refuse(path, value, f"one of {', '.join(allowed)}{reason}")
        return match

    def flag(self, path: str, default: Any = ...) -> Any:
        """Return true or false, or the default."""
        return self._checked(path, default, lambda value: isinstance(value, bool), "true or false")

    def wholes(self, path: str, default: Any = ..., least: int = 1, may_be_empty: bool = False) -> Any:
        """Return a list of whole numbers, or the default."""
        return self._checked(
            path,
            default,
            lambda value: is_whole_list(value, least) and (may_be_empty or bool(value)),
            f"a list of whole numbers from {least} up",
        )

    def rows(self, path: str, default: Any = ...) -> Any:
        """Return a list of lists of whole numbers from 1 up, none of them empty, or the default."""
        return self._checked(
            path,
            default,
            lambda value: isinstance(value, list) and bool(value) and all(row and is_whole_list(row) for row in value),
            "a list of lists of whole numbers above 0, one for each kernel",
        )

    def texts(self, path: str, default: Any = ...) -> Any:
        """Return a list of strings, or the default."""
        return self._checked(
            path,
            default,
            lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
            "a list of strings",
        )

    def table(self, path: str, default: Any = ...) -> Mapping[str, Any]:
        """Return an object, or the default."""
        return self._checked(path, default, lambda value: isinstance(value, Mapping), "an object")


def is_whole(value: Any, least: int | None = None, most: int | None = None) -> bool:
    """Return whether a value is a whole number, which true and false are not, within the limits."""
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return (least is None or least <= value) and (most is None or value <= most)


def is_whole_list(value: Any, least: int = 1) -> bool:
    """Return whether a value is a list of whole numbers."""
    return isinstance(value, list) and all(is_whole(item, least, MOST) for item in value)


def row_names(ids: Mapping[str, Any], count: int, kind: str, place: str) -> tuple[list[str], tuple[str, ...]]:
    """
    Return the names of all rows in the order of their ids, and notes.

    A second name for a row is left out; a row without a name is named after its id.

    Args:
        ids (`Mapping[str, Any]`):
            Ids by name, as a file has them.
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


def check_agreement(values: Iterable[tuple[str, Any, Any]], file: Path) -> None:
    """
    Raise `ValueError` if a configuration file contradicts the weights.

    Args:
        values (`Iterable` of `(name, value in the file, value of the weights)`):
            `None` in the file agrees with anything.
        file (`Path`):
            The file, for errors.
    """
    for name, in_file, in_weights in values:
        in_weights = list(in_weights) if isinstance(in_weights, tuple) else in_weights
        if in_file is not None and in_file != in_weights:
            raise ValueError(
                f"`{name}` in {file} is {in_file}, but the weights have {in_weights}. Do the files belong together?"
            )
