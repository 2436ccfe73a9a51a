"""Rename tensors of other projects by ordered rules, without skipping any silently."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from hf_vits.utils.formatting import listed

Value = TypeVar("Value")

Rule = tuple[str, str | Callable[[re.Match], str]]
"""A regular expression and what its first match in a name becomes, as in `re.sub`."""


def translate(
    tensors: Mapping[str, Value],
    rules: Iterable[Rule],
    dropped: Sequence[tuple[str, str]] = (),
    whole: str = "VITS generator",
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """
    Rename tensors, and return them with a note on each kind of tensor that was dropped.

    Args:
        tensors (`Mapping[str, Value]`):
            By foreign name.
        rules (`Iterable` of `(pattern, replacement)`):
            Applied to every name in order, each where it matches.
        dropped (`Sequence` of `(pattern, reason)`, *optional*):
            A tensor whose **new** name begins with a match of `pattern` is left out, for that reason.
        whole (`str`, *optional*, defaults to `"VITS generator"`):
            What the tensors should make up, for the message of an error.

    Raises:
        ValueError: if no rule knows a name, or two names become the same.
    """
    rules = [(re.compile(pattern), replacement) for pattern, replacement in rules]
    renamed, sources, notes, unknown = {}, {}, {}, []
    for source, tensor in tensors.items():
        name, known = _rename(source, rules)
        reason = next((reason for pattern, reason in dropped if re.match(pattern, name)), None)
        if reason is not None:
            notes.setdefault(reason, []).append(source)
        elif not known:
            unknown.append(source)
        elif name in renamed:
            raise ValueError(f"{sources[name]} and {source} both are {name}; the file holds one layer twice.")
        else:
            renamed[name], sources[name] = tensor, source
    if unknown:
        raise ValueError(
            f"{len(unknown)} tensors belong to no part of a {whole} that is known here: {listed(unknown)}. Nothing "
            f"was converted; is the file a plain {whole}?"
        )
    return renamed, tuple(f"Left out, {reason}: {listed(names)}." for reason, names in notes.items())


def _rename(name: str, rules: list[tuple[re.Pattern, str | Callable]]) -> tuple[str, bool]:
    known = False
    for pattern, replacement in rules:
        name, count = pattern.subn(replacement, name, count=1)
        known = known or count > 0
    return name, known
