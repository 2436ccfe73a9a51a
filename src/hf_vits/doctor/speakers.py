"""Speakers: the table, its size, and the names."""

from collections import Counter
from collections.abc import Iterator

from hf_vits.doctor.commands import json_changed
from hf_vits.doctor.finding import Finding, error, note
from hf_vits.doctor.folder import Folder
from hf_vits.wording import quoted

MOST_NAMED = 500


def check_speakers(folder: Folder) -> Iterator[Finding]:
    """num_speakers, speaker_embedding_size and speaker_names, and whether they go together."""
    said = folder.good_fields
    told = folder.told if folder.fit is not None else {}
    count = told.get("num_speakers", said.get("num_speakers", 1))
    size = told.get("speaker_embedding_size", said.get("speaker_embedding_size", 0))
    if count > 1 and size < 1 or size < 0:
        text = f"`num_speakers` is {count} but `speaker_embedding_size` is {size}; several speakers need vectors."
        yield error("speakers.no_vectors", text, "Set both as the voice was trained.", speakers=count, size=size)
    names = said.get("speaker_names")
    if names is None:
        if count > 1:
            text = f"The {count} speakers have no names, and are called by number."
            mend = "Name them as `speaker_names`, in the order of their ids."
            yield note("speakers.unnamed", text, mend, _named(folder, [], count))
        return
    yield from _names(folder, list(names), count)


def _names(folder: Folder, names: list[str], count: int) -> Iterator[Finding]:
    command = _named(folder, names, count)
    if len(names) != count:
        text = (
            f"`speaker_names` has {len(names)} names for {count} speakers; each needs one, in the order of their ids."
        )
        yield error("speakers.names_count", text, "Correct the names.", command, names=len(names), speakers=count)
    repeated = sorted(name for name, times in Counter(names).items() if times > 1 and name.strip())
    if repeated:
        text = f"`speaker_names` has {quoted(repeated)} more than once; names must differ."
        yield error("speakers.names_repeated", text, "Rename one of each.", command, names=repeated)
    if empty := [place for place, name in enumerate(names) if not name.strip()]:
        text = f"The speakers {quoted(empty)} have empty names."
        yield error("speakers.names_empty", text, "Name them.", command, ids=empty)


def _named(folder: Folder, names: list[str], count: int) -> str | None:
    """The command that gives each speaker a name of its own; none for more than fit into a line."""
    if count > MOST_NAMED:
        return None
    names = _distinct([*names[:count], *[""] * (count - len(names))])
    return json_changed(folder.path / "config.json", speaker_names=names)


def _distinct(names: list[str]) -> list[str]:
    """The names with a number where one is empty or was there before."""
    result: list[str] = []
    for place, name in enumerate(names):
        name = name.strip() or f"speaker {place}"
        result.append(f"{name} {place}" if name in result else name)
    return result
