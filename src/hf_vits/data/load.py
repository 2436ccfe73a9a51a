"""Load the data of a run: a folder of recordings or of data files, or a data set of the Hub, split for evaluation."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hf_vits.data.dataset import Columns
from hf_vits.data.metadata_folder import read_folder
from hf_vits.data.tables import numbers_or_texts, read_lines, read_objects, read_table

PLAIN_FILES = (".csv", ".tsv", ".json", ".jsonl", ".txt")
"""Extensions of the files that are read without `datasets`."""

OWN_FIELDS = ("name", "version", "data_dir", "data_files", "description", "sep")
"""Fields of a builder's configuration that do not require that `datasets` reads the files."""

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
"""Pattern of the name of a data set of the Hub."""


def load_data(
    name: str,
    config_name: str | None = None,
    train_split: str = "train",
    eval_split: str | None = None,
    streaming: bool = False,
    max_eval_samples: int = 16,
    table_columns: Sequence[str] | None = None,
    columns: Columns | None = None,
):
    """
    Load rows to train on and rows to evaluate on, or `None` if nothing says which.

    Args:
        name (`str`):
            A folder that [`read_folder`] reads, or a data set of the Hub.
        config_name, train_split, eval_split (`str`, *optional*):
            As in `datasets.load_dataset`.
        streaming (`bool`, *optional*, defaults to `False`):
            Read rows during training instead of downloading all of them first.
        max_eval_samples (`int`, *optional*, defaults to 16):
            Rows at the beginning of a stream that are for evaluation, unless `eval_split` is given.
        table_columns (`Sequence[str]`, *optional*):
            Columns of a folder's table without a header, as in [`read_folder`].
        columns ([`Columns`], *optional*):
            Names of the columns.

    Raises:
        ValueError: without a name, or for settings that a folder does not have.
        FileNotFoundError: if neither folder nor data set has the name, and as `read_folder` and `load_dataset` do.
    """
    if not name:
        raise ValueError("There is no data: give a folder with a metadata.csv, or a data set, as `dataset_name`.")
    folder, columns = Path(name).expanduser(), columns or Columns()
    if folder.is_dir() and not any(folder.glob("**/*.parquet")):
        _check_folder_has_all(folder, config_name, train_split, eval_split, streaming)
        return read_folder(folder, table_columns=table_columns, text_column=columns.text)
    if not folder.is_dir() and not HUB_NAME.fullmatch(name):
        raise FileNotFoundError(_no_folder(folder))
    train = _split(name, config_name, train_split, streaming)
    if eval_split:
        return train, _split(name, config_name, eval_split, streaming)
    return (train.skip(max_eval_samples), train.take(max_eval_samples)) if streaming else (train, None)


def file_split(file: Path, split: str, texts: Sequence[str]):
    """
    Read a plain file as a `datasets.Dataset`.

    Args:
        file (`Path`):
            A file with one of the extensions `PLAIN_FILES`.
        split (`str`):
            "train", or a part of it such as "train[:100]".
        texts (`Sequence[str]`):
            Names of columns whose cells stay texts, even if all of them are numbers.

    Raises:
        ValueError: for a file that cannot be read, with the line, or an unknown split.
    """
    return _part({"train": [file]}, split, texts)


def folder_split(folder: Path, config_name: str | None, split: str, texts: Sequence[str]):
    """Read the files of a folder that `datasets.load_dataset` finds; plain files as [`file_split`] does."""
    from datasets import load_dataset, load_dataset_builder

    builder = load_dataset_builder(str(folder), config_name)
    files = {name: [Path(file) for file in files] for name, files in (builder.config.data_files or {}).items()}
    are_plain = all(file.suffix.lower() in PLAIN_FILES and file.is_file() for part in files.values() for file in part)
    if files and are_plain and _has_default_settings(builder.config):
        return _part(files, split, texts)
    return load_dataset(str(folder), config_name, split=split, **_options(builder))


def hub_split(name: str, config_name: str | None, split: str, streaming: bool = False):
    """Load a split by `datasets.load_dataset`, but keep cells of CSV that pandas would take for missing ones."""
    from datasets import load_dataset, load_dataset_builder

    options = _options(load_dataset_builder(name, config_name))
    return load_dataset(name, config_name, split=split, streaming=streaming, **options)


def _options(builder) -> dict[str, Any]:
    """Return settings that make the builder of CSV leave texts unchanged; none for other builders."""
    config = builder.config
    if not hasattr(config, "keep_default_na"):
        return {}
    options = {} if config.na_values or not config.keep_default_na else {"keep_default_na": False, "na_values": [""]}
    if config.sep == "\t" and config.quoting == csv.QUOTE_MINIMAL:
        options["quoting"] = csv.QUOTE_NONE  # as in Common Voice and other tables of texts between tabs
    return options


def _has_default_settings(config) -> bool:
    """Return True unless a builder's configuration has settings that only `datasets` supports."""
    usual = type(config)()
    names = [item.name for item in fields(config) if item.name not in OWN_FIELDS]
    return all(getattr(config, name) == getattr(usual, name) for name in names)


def _part(files: Mapping[str, Sequence[Path]], split: str, texts: Sequence[str]):
    """Return the rows of a split, or of a part or sum of splits in the notation of `datasets`."""
    from datasets import Dataset, ReadInstruction

    columns = {name: _columns(part) for name, part in files.items()}
    lengths = {name: len(next(iter(part.values()), [])) for name, part in columns.items()}
    parts = ReadInstruction.from_spec(split).to_absolute(lengths)
    names = list(columns[parts[0].splitname])
    if others := [part.splitname for part in parts if list(columns[part.splitname]) != names]:
        raise ValueError(f"The columns of {others[0]} are {list(columns[others[0]])}, and not {names} as those before.")
    cells = {name: [c for part in parts for c in columns[part.splitname][name][part.from_ : part.to]] for name in names}
    are_cells = all(file.suffix.lower() in (".csv", ".tsv") for part in files.values() for file in part)
    return Dataset.from_dict({name: _typed(cell, are_cells and name not in texts) for name, cell in cells.items()})


def _columns(files: Sequence[Path]) -> dict[str, list]:
    """Concatenate the columns of files, which must have the same ones."""
    joined: dict[str, list] = {}
    for file in files:
        columns = _columns_of_file(file)
        if joined and list(joined) != list(columns):
            raise ValueError(f"The columns of {file} are {list(columns)}, and not {list(joined)} as in {files[0]}.")
        for name, cells in columns.items():
            joined.setdefault(name, []).extend(cells)
    return joined


def _columns_of_file(file: Path) -> dict[str, list]:
    kind = file.suffix.lower()
    if kind == ".txt":
        return {"text": read_lines(file)}
    if kind in (".csv", ".tsv"):
        table = read_table(file, "\t" if kind == ".tsv" else None)
        return {name: [row[number] for row in table.rows] for number, name in enumerate(table.columns)}
    objects, _ = read_objects(file)
    names = dict.fromkeys(name for item in objects for name in item)
    return {name: [item.get(name) for item in objects] for name in names}


def _typed(cells: list, may_be_numbers: bool) -> list:
    """Convert cells to one type, as Arrow requires: texts, numbers of a table, or JSON of values of mixed types."""
    if may_be_numbers:
        return numbers_or_texts(cells)
    kinds = {type(cell) for cell in cells} - {type(None)}
    if len(kinds) > 1 and kinds != {int, float}:
        return [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells]
    return cells


def _split(name: str, config_name: str | None, split: str, streaming: bool):
    try:
        return hub_split(name, config_name, split, streaming)
    except (FileNotFoundError, ConnectionError) as error:
        if Path(name).expanduser().is_dir():
            raise
        raise FileNotFoundError(f"{_no_folder(Path(name))} Nor can it be had from the Hub: {error}") from error


def _no_folder(folder: Path) -> str:
    return (
        f"There is no folder {folder.expanduser().absolute()}. Give one with a metadata.csv, a table with the columns "
        "file_name and text and a row for each recording, or a data set of the Hub as owner/name."
    )


def _check_folder_has_all(
    folder: Path, config_name: str | None, train_split: str, eval_split: str | None, streaming: bool
) -> None:
    """Raise `ValueError` for settings that do not apply to a folder of recordings."""
    given = {
        "dataset_config_name": config_name,
        "train_split": None if train_split == "train" else train_split,
        "eval_split": eval_split,
        "streaming": streaming,
    }
    if without_use := {name: value for name, value in given.items() if value}:
        raise ValueError(
            f"{folder} is a folder of recordings, to which {without_use} do not apply: they are of data sets of the "
            "Hub. Leave them out; eval.txt names a folder's recordings for evaluation."
        )
