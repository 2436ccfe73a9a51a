"""Say that a path does not exist, and which existing names are similar. Imports no torch."""

import os
from itertools import islice
from pathlib import Path

from huggingface_hub import constants

from hf_vits.conversion.formats import suffix_descriptions
from hf_vits.hub.known_voices import VOICES
from hf_vits.utils.default_name import ALIAS
from hf_vits.utils.formatting import did_you_mean, similar_names

MOST_ENTRIES = 2000
"""Entries of a folder that are compared with a name."""


def missing_path(name: str | os.PathLike) -> str:
    """Return a sentence that says that a path does not exist, and names similar files, folders and models."""
    path = Path(os.path.expanduser(name))
    absent = path
    while not os.path.isdir(absent.parent) and absent.parent != absent:
        absent = absent.parent
    near = [absent.parent / entry for entry in similar_names(absent.name, _candidates(absent.parent))]
    rest = path.parts[len(absent.parts) :]
    near = [str(place.joinpath(*rest) if place.joinpath(*rest).exists() else place) for place in near]
    near += similar_names(str(name), [ALIAS, *VOICES, *_cached_models()])
    return f"There is no file or folder {name}{did_you_mean(near[:3]) or '.'}"


def folder_entries(folder: Path) -> list[str]:
    """Return the names in a folder, at most `MOST_ENTRIES`; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, MOST_ENTRIES)]
    except OSError:
        return []


def _candidates(folder: Path) -> list[str]:
    """Return the names of folders, and of files of other projects, in a folder."""
    suffixes = suffix_descriptions()
    return [name for name in folder_entries(folder) if Path(name).suffix in suffixes or os.path.isdir(folder / name)]


def _cached_models() -> list[str]:
    """Return the names of the models in the Hub's cache."""
    names = (entry.split("--") for entry in folder_entries(Path(constants.HF_HUB_CACHE)))
    return [f"{parts[1]}/{'--'.join(parts[2:])}" for parts in names if parts[0] == "models" and len(parts) > 2]
