"""Where texts come from, a file, a folder or the Hub, and which of their columns go along with the speech."""

import math
from collections.abc import Iterator, Sequence
from datetime import date, time
from pathlib import Path

from hf_vits.data.columns import speaker_labels
from hf_vits.data.load import PLAIN_FILES, file_split, folder_split, hub_split

ENDINGS = (*PLAIN_FILES[:-1], ".parquet", PLAIN_FILES[-1])
"""Of the files that are read."""

OWN = ("file_name", "audio", "seconds")
"""Columns of the speech, which no column of the texts can be called."""


def load_texts(name: str, config_name: str | None = None, split: str = "train", columns: Sequence[str] = ("text",)):
    """
    A `datasets.Dataset` of a file, a folder of files, or a data set of the Hub; `columns` are those that hold texts,
    and names of speakers, which stay as they are written.

    Raises:
        ValueError: without a name, for a file of an unknown kind or one that cannot be read, or as
            `datasets.load_dataset`.
        FileNotFoundError: if neither file, folder nor data set has the name.
    """
    if not name:
        raise ValueError("There are no texts: give a file, a folder or a data set of the Hub as `dataset_name`.")
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix.lower() not in ENDINGS:
            raise ValueError(f"{path} ends with {path.suffix!r}; files of texts end with one of {', '.join(ENDINGS)}.")
        if path.suffix.lower() in PLAIN_FILES:
            return file_split(path, split, columns)
        from datasets import load_dataset

        return load_dataset("parquet", data_files=str(path), split=split)
    if path.is_dir():
        return folder_split(path, config_name, split, columns)
    nothing = f"There is no file or folder {path.absolute()}"
    if name.count("/") != 1 or name.startswith(("/", ".", "~")):
        raise FileNotFoundError(f"{nothing}. Give one, or a data set of the Hub as owner/name.")
    try:
        return hub_split(name, config_name, split)
    except (FileNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(f"{nothing}, nor can a data set of that name be had from the Hub: {error}") from error


def check_columns(given: Sequence[str], text: str, speaker: str | None) -> None:
    """Raises `ValueError` if a column is not there, saying which there are."""
    missing = [name for name in (text, speaker) if name and name not in given]
    if missing:
        raise ValueError(
            f"The texts have no column {missing}; their columns are {list(given)}. Name the right ones with "
            "`text_column` and `speaker_column`."
        )


def names_in_output(columns: Sequence[str]) -> dict[str, str]:
    """What each column is called beside the speech: as it was, unless that is a name with a meaning there."""

    def is_taken(name: str) -> bool:  # `datasets` takes the others for names of files, and loads them
        return name in OWN or name == "file_names" or name.endswith(("_file_name", "_file_names"))

    names: dict[str, str] = {}
    for name in columns:
        new = name
        while is_taken(new) or (new != name and (new in columns or new in names.values())):
            new += "_original"
        names[name] = new
    return names


def written_columns(dataset) -> tuple[list[str], list[str]]:
    """Names of the columns that lines of JSON can hold, and of the others: sounds, pictures, bytes."""
    kept = [name for name, feature in dataset.features.items() if _is_plain(feature)]
    return kept, [name for name in dataset.column_names if name not in kept]


def records(dataset, rows: Sequence[int]) -> Iterator[dict]:
    """Those rows with all that JSON can hold of them; numbers of names as names."""
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
    """A value as JSON has it: no NaN, and times as ISO 8601 writes them."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int) else str(value)
