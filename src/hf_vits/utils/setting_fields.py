"""Fields of settings: one description for `--help` and the docs, and one check of types and limits."""

import json
import math
import os
import re
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from hf_vits.utils.formatting import quoted

LARGEST = 2**63 - 1
"""Largest integer of a setting, and of PyTorch."""

VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
"""An environment variable in a path."""

TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
"""Texts of a switch on a command line."""


@dataclass(frozen=True)
class Range:
    """Limits of a number, `None` for none; `above` and `below` are exclusive."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def __contains__(self, number: float) -> bool:
        return (
            (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.most is None or number <= self.most)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        lower = "" if self.least is None else f" from {self.least:g}"
        lower = lower if self.above is None else f" above {self.above:g}"
        if self.most is not None:
            return f"{lower} to {self.most:g}" if self.least is not None else f"{lower} and at most {self.most:g}"
        lower = f"{lower} up" if "from" in lower else lower
        return lower if self.below is None else f"{lower} and below {self.below:g}"


@dataclass(frozen=True)
class OneOf:
    """The values that a field may have."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"one of {', '.join(self.values)}"


class PathLike:
    """Mark a text that may be a path: `~` and environment variables in it are expanded."""


class FolderPath(PathLike):
    """Mark the path of a folder to write to, which must not be empty."""


class Numeral:
    """Mark a text that chooses by name or by number; a whole number becomes its numeral."""


class JsonObject:
    """Mark a field that is a mapping, or a text with a JSON object."""


Count = Annotated[int, Range(least=1)]
Whole = Annotated[int, Range(least=0)]
Positive = Annotated[float, Range(above=0)]
NotNegative = Annotated[float, Range(least=0)]
Decay = Annotated[float, Range(least=0, below=1)]
AnyPath = Annotated[str, PathLike]
OutputPath = Annotated[str, FolderPath]
NameOrNumber = Annotated[str, Numeral]
Mapping = Annotated[str, JsonObject]


def option(default: Any, description: str, hint: str = "") -> Any:
    """Return a field of a dataclass with a description for `--help` and the docs, and a hint for values refused."""
    kind = {"default_factory": lambda: list(default)} if isinstance(default, list) else {"default": default}
    return field(**kind, metadata={"help": description, "hint": hint})


def check_fields(settings: Any) -> None:
    """
    Convert every field of a dataclass to its annotated type, in its `__post_init__`.

    Raises:
        ValueError: for values of another type or out of range; has a line for each.
    """
    problems = []
    for name in hints_of(type(settings)):
        try:
            setattr(settings, name, checked(type(settings), name, getattr(settings, name)))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))


def hints_of(kind: type) -> dict[str, Any]:
    """Return the annotated type of each argument of a dataclass, by name."""
    hints = get_type_hints(kind, include_extras=True)
    return {item.name: hints[item.name] for item in fields(kind) if item.init}


def is_switch(kind: type, name: str) -> bool:
    """Return True if a field may be given by its name alone."""
    return bool in _unwrapped(hints_of(kind)[name])[0]


def checked(kind: type, name: str, value: Any, left_out: Any = MISSING) -> Any:
    """
    Convert the value of one field of a dataclass to its annotated type.

    An integer may be given as 2.0, a list of names as one text with commas between them, and any value as the text of a
    command line; `~` and environment variables in paths are expanded.

    Raises:
        ValueError: for a value of another type or out of range; says what was given, what is allowed, and what it is if
            it is left out: `left_out`, or else the default.
    """
    kinds, marks, optional = _unwrapped(hints_of(kind)[name])
    if value is None and optional:
        return None
    if isinstance(value, str) and optional and str not in kinds and value.lower() in ("null", "none"):
        return None
    try:
        result = _converted(kinds, value)
    except (ValueError, OverflowError):
        shown = "null" if value is None else quoted(value)
        raise ValueError(
            f"`{name}` is {shown}; {_allowed(kinds, marks, optional)}{_advice(kind, name, left_out)}"
        ) from None
    for mark in marks:
        if isinstance(mark, Range) and result not in mark or isinstance(mark, OneOf) and result not in mark.values:
            raise ValueError(f"`{name}` is {quoted(value)}; {_allowed(kinds, marks, optional)}")
        if isinstance(mark, type) and issubclass(mark, PathLike):
            result = expanded(name, result)
            if issubclass(mark, FolderPath) and not result.strip():
                raise ValueError(f"`{name}` is empty; give the name of a folder.")
    return result


def expanded(name: str, path: str) -> str:
    """
    Expand `~` and environment variables in a path; a dollar sign in an existing name stays.

    Raises:
        ValueError: for a home folder or variable that does not exist, or a null character; names the setting.
    """
    if "\0" in path:
        raise ValueError(f"`{name}` is {quoted(path)}; a path has no null character.")
    if not os.path.lexists(path):
        missing = [found[1] or found[2] for found in VARIABLE.finditer(path)]
        missing = [variable for variable in missing if variable not in os.environ]
        if missing:
            raise ValueError(f"`{name}` is {quoted(path)}, but there is no environment variable {missing[0]}; set it.")
        path = VARIABLE.sub(lambda found: os.environ[found[1] or found[2]], path)
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError as error:
        raise ValueError(f"`{name}` is {quoted(path)}: there is no such home folder; give the whole path.") from error


def _unwrapped(hint: Any) -> tuple[tuple[Any, ...], tuple[Any, ...], bool]:
    """Return the types that an annotation allows, its marks, and whether it allows `None`."""
    types, marks, optional = [], [], False
    pending = [hint]
    while pending:
        one = pending.pop(0)
        if get_origin(one) is Annotated:
            marks += one.__metadata__
            special = [mark for mark in one.__metadata__ if mark in CONVERTERS]
            pending = [*(special or [one.__origin__]), *pending]
        elif one is NoneType:
            optional = True
        elif isinstance(one, type) and get_origin(one) is None or get_origin(one) in (list, dict):
            types.append(get_origin(one) or one)
        else:
            pending = [*get_args(one), *pending]
    return tuple(types), tuple(marks), optional


def _converted(kinds: tuple[type, ...], value: Any) -> Any:
    """Convert a value to the first of the types that can hold it; raises `ValueError` if none can."""
    for kind in kinds:
        try:
            return CONVERTERS[kind](value)
        except ValueError:
            continue
    raise ValueError


def _to_int(value: Any) -> int:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value) or value != int(value):
        raise ValueError
    if abs(value) > LARGEST:
        raise ValueError
    return int(value)


def _to_float(value: Any) -> float:
    value = float(value) if isinstance(value, str) else value
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _to_bool(value: Any) -> bool:
    value = TRUTHS.get(value.lower(), value) if isinstance(value, str) else value
    if not isinstance(value, bool):
        raise ValueError
    return value


def _to_str(value: Any) -> str:
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(value, str):
        raise ValueError
    return value


def _to_numeral(value: Any) -> str:
    """Return a text as it is, and an integer as its numeral."""
    return str(int(value)) if isinstance(value, Integral) and not isinstance(value, bool) else _to_str(value)


def _to_object(value: Any) -> dict[str, Any]:
    value = json.loads(value) if isinstance(value, str) else value
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError
    return value


def _to_list(value: Any) -> list[str]:
    value = value.split(",") if isinstance(value, str) else value  # a command line has no lists
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item.strip() for item in value):
        raise ValueError
    return [item.strip() for item in value]


CONVERTERS = {
    int: _to_int,
    float: _to_float,
    bool: _to_bool,
    str: _to_str,
    Numeral: _to_numeral,
    JsonObject: _to_object,
    list: _to_list,
}
NAMES = {
    int: "a whole number",
    float: "a finite number",
    bool: "true or false",
    str: "a text in quotation marks",
    Numeral: "a name or a whole number",
    JsonObject: "a JSON object, such as {}",
    list: "a list of names, such as [], or names between commas",
}


def _allowed(kinds: tuple[type, ...], marks: tuple[Any, ...], optional: bool) -> str:
    limits = [mark for mark in marks if isinstance(mark, Range | OneOf)]
    if limits and isinstance(limits[0], OneOf):
        allowed = str(limits[0])
    else:
        allowed = f"{' or '.join(NAMES[kind] for kind in kinds)}{''.join(map(str, limits))}"
    return f"it must be {allowed}{', or null' if optional else ''}."


def _advice(kind: type, name: str, default: Any) -> str:
    """Return the hint of a setting, or else a sentence about what it is by default."""
    item = next(item for item in fields(kind) if item.name == name)
    if hint := item.metadata.get("hint"):
        return f" {hint}"
    if default is MISSING:
        default = item.default if item.default_factory is MISSING else item.default_factory()
    return "" if default is MISSING else f" If it is left out, it is {'null' if default is None else quoted(default)}."
