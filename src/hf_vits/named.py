"""Speakers and languages, which a call may name or number."""

from collections.abc import Sequence


def number_or_name(value: str | None, names: Sequence[str] | None) -> int | str | None:
    """What was written on a command line: a known name is a name, any other number an id."""
    return int(value) if value is not None and value not in (names or ()) and value.isdecimal() else value


def index_of(kind: str, chosen: int | str, count: int, names: Sequence[str] | None) -> int:
    """The number of what was chosen by number or name; `ValueError`, which says what there is, if there is no such."""
    if not isinstance(chosen, str):
        if not 0 <= chosen < count:
            raise ValueError(f"`{kind}_id` is {chosen}, but this model has {count} {kind}(s): pass 0 to {count - 1}.")
        return int(chosen)
    names = list(names or [])
    if chosen not in names:
        if names:
            advice = f"its {kind}s are {names}: pass one of those, or a number, 0 to {count - 1}"
        elif count > 1:
            advice = f"its {count} {kind}s have no names: pass a number, 0 to {count - 1}"
        else:
            advice = f"its one {kind} has no name: leave it out, or pass 0"
        raise ValueError(f"There is no {kind} {chosen!r} in this model; {advice}.")
    return names.index(chosen)
