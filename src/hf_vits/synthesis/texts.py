"""Load texts from a file, a folder or the Hub, and the columns that are written beside the speech."""

import math
from collections.abc import Iterator, Sequence
from datetime import date, time
from pathlib import Path

from hf_vits.data.columns import speaker_labels
from hf_vits.data.load import PLAIN_FILES, file_split, folder_split, hub_split

SUFFIXES = (*PLAIN_FILES[:-1], ".parquet", PLAIN_FILES[-1])
"""Suffixes of the files that are read."""

RESERVED = ("file_name", "audio", "seconds")
"""Columns of the written data set, whose names no column of the texts can keep."""


def load_texts(name: str, config_name: str | None = None, split: str = "train", columns: Sequence[str] = ("text",)):
    """
    Load a `datasets.Dataset` from a file, a folder of files, or the Hub.

    Args:
        name, config_name, split (`str`, *optional*):
            The file, the folder or the data set, its configuration on the Hub, and its split.
        columns (`Sequence[str]`, *optional*):
            Columns of texts and of names of speakers, whose cells stay as they are written.

    Raises:
        ValueError: without a name, for a file of an unknown kind or one that cannot be read, and whenever
            `datasets.load_dataset` raises it.
        FileNotFoundError: if there is no file, folder or data set of that name.
    """
    if not name:
        raise ValueError("There are no texts: give a file, a folder or a data set of the Hub as `dataset_name`.")
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{path} ends with {path.suffix!r}; files of texts end with one of {', '.join(SUFFIXES)}.")
        if path.suffix.lower() in PLAIN_FILES:
            return file_split(path, split, columns)
        from datasets import load_dataset

        return load_dataset("parquet", data_files=str(path), split=split)
    if path.is_dir():
        return folder_split(path, config_name, split, columns)
    missing = f"There is no file or folder {path.absolute()}"
    if name.count("/") != 1 or name.startswith(("/", ".", "~")):
        raise FileNotFoundError(f"{missing}. Give one, or a data set of the Hub as owner/name.")
    try:
        return hub_split(name, config_name, split)
    except (FileNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(f"{missing}, and no such data set could be loaded from the Hub: {error}") from error


def check_columns(given: Sequence[str], text: str, speaker: str | None) -> None:
    """Raise `ValueError` if a column is missing; says which there are."""
    missing = [name for name in (text, speaker) if name and name not in given]
    if missing:
        raise ValueError(
            f"The texts have no column {' or '.join(map(repr, missing))}; their columns are "
            f"{', '.join(map(repr, given))}. Name the right ones with "
            "`text_column` and `speaker_column`."
        )


def names_in_output(columns: Sequence[str]) -> dict[str, str]:
    """Return the name of each column in the output: its own, or another if that has a meaning there."""

    def is_taken(name: str) -> bool:  # `datasets` loads files from the others
        return name in RESERVED or name == "file_names" or name.endswith(("_file_name", "_file_names"))

    names: dict[str, str] = {}
    for name in columns:
        new = name
        while is_taken(new) or (new != name and (new in columns or new in names.values())):
            new += "_original"
        names[name] = new
    return names


def written_columns(dataset) -> tuple[list[str], list[str]]:
    """Return the names of the columns that JSON can hold, and of the others: audio, images, bytes."""
    kept = [name for name, feature in dataset.features.items() if _is_plain(feature)]
    return kept, [name for name in dataset.column_names if name not in kept]


def records(dataset, rows: Sequence[int]) -> Iterator[dict]:
    """Yield rows with the values that JSON can hold; class labels as their names."""
    kept, _ = written_columns(dataset)
    names = names_in_output(kept)
    labels = {name: label for name in kept if (label := speaker_labels(dataset, name)) is not None}
    for row in dataset.select_columns(kept).select(rows):
        for name, label in labels.items():
            row[name] = None if row[name] is None or row[name] < 0 else label.int2str(row[name])
        yield {names[name]: _plain(value) for name, value in row.items()}


def _is_plain(feature) -> bool:
    if isinstance(feature, dict):
        return all(map(_is_plain, feature.values()))
    if isinstance(feature, list | tuple):
        return all(map(_is_plain, feature))
    if hasattr(feature, "decode_example") or "binary" in str(getattr(feature, "dtype", "")):
        return False
    return _is_plain(feature.feature) if hasattr(feature, "feature") else True


def _plain(value):
    """Return a value as JSON can hold it: `None` for NaN, and times in ISO 8601."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int) else str(value)
