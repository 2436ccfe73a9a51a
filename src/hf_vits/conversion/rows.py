"""What the rows of a table of speakers or languages are called."""

from collections.abc import Mapping
from typing import Any

from hf_vits.conversion.json_fields import is_whole
from hf_vits.wording import listed, quoted


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
