"""Load a split of a data set from plain files, a folder of them or the Hub, with its texts as they are written.

`datasets` reads CSV by pandas, which takes the texts "null", "NA" and "nan" for missing ones, joins lines after a
quotation mark that is not closed, and shifts the columns of rows that are too long; and it reads JSON by pyarrow, which
makes dates of texts that look like some. So plain files are read by `tables` here. Where `datasets` must read them, in
folders and repositories whose cards say how, it is told that only an empty cell is a missing one.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hf_vits.tables import numbers_or_texts, read_lines, read_objects, read_table

PLAIN_FILES = (".csv", ".tsv", ".json", ".jsonl", ".txt")
"""Endings of the files that are read here."""

OWN_FIELDS = ("name", "version", "data_dir", "data_files", "description", "sep")
"""Fields of a builder's configuration that may be set without `datasets` having to read the files."""


def file_split(file: Path, split: str, texts: Sequence[str]):
    """
    Read a plain file as a `datasets.Dataset`.

    Args:
        file (`Path`):
            A file with one of the endings `PLAIN_FILES`.
        split (`str`):
            "train", or a part of it such as "train[:100]".
        texts (`Sequence[str]`):
            Names of columns whose cells stay texts, also where all of them are numbers.

    Raises:
        ValueError: for a file that cannot be read, which says in which line, or an unknown split.
    """
    return _part({"train": [file]}, split, texts)


def folder_split(folder: Path, config_name: str | None, split: str, texts: Sequence[str]):
    """Read a folder of files as `datasets.load_dataset` finds them; plain files as [`file_split`] does."""
    from datasets import load_dataset, load_dataset_builder

    builder = load_dataset_builder(str(folder), config_name)
    files = {name: [Path(file) for file in files] for name, files in (builder.config.data_files or {}).items()}
    are_plain = all(file.suffix.lower() in PLAIN_FILES and file.is_file() for part in files.values() for file in part)
    if files and are_plain and _is_as_usual(builder.config):
        return _part(files, split, texts)
    return load_dataset(str(folder), config_name, split=split, **_options(builder))


def hub_split(name: str, config_name: str | None, split: str, streaming: bool = False):
    """Load a split as `datasets.load_dataset` does, but for cells of CSV that pandas would take for missing ones."""
    from datasets import load_dataset, load_dataset_builder

    options = _options(load_dataset_builder(name, config_name))
    return load_dataset(name, config_name, split=split, streaming=streaming, **options)


def _options(builder) -> dict[str, Any]:
    """Return settings of the builder that reads CSV which leave texts as they are; none for other builders."""
    config = builder.config
    if not hasattr(config, "keep_default_na"):
        return {}
    options = {} if config.na_values or not config.keep_default_na else {"keep_default_na": False, "na_values": [""]}
    if config.sep == "\t" and config.quoting == csv.QUOTE_MINIMAL:
        options["quoting"] = csv.QUOTE_NONE  # as in Common Voice and other tables of texts between tabs
    return options


def _is_as_usual(config) -> bool:
    """Tell whether a builder's configuration has no setting that only `datasets` knows what to do with."""
    usual = type(config)()
    return all(getattr(config, item.name) == getattr(usual, item.name) for item in fields(config) if _counts(item.name))


def _counts(field: str) -> bool:
    return field not in OWN_FIELDS


def _part(files: Mapping[str, Sequence[Path]], split: str, texts: Sequence[str]):
    """The rows of a split, or of a part or sum of some, as `datasets` writes them."""
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
    """The columns of files with the same ones, one after the other."""
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
    """Cells of one type, as Arrow has them: texts, numbers of a table, or JSON of values of different types."""
    if may_be_numbers:
        return numbers_or_texts(cells)
    kinds = {type(cell) for cell in cells} - {type(None)}
    if len(kinds) > 1 and kinds != {int, float}:
        return [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells]
    return cells
