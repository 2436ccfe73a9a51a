"""Read a folder of recordings with a table of their texts as a data set."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_vits.data.column_detection import FILE, IGNORED, TEXT, Recordings, columns_of, padded
from hf_vits.data.columns import PLACE
from hf_vits.data.tables import delimiter_of, read_table, read_text, rows_of_text

EVAL_LISTS = ("eval.txt", "heldout.txt")
"""Names of the file that lists the recordings to evaluate on; the first that is there is read."""

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.txt", "metadata.tsv")
"""Names of the table: those of `datasets` (the first two), of LJSpeech and of spreadsheets."""


def read_folder(
    folder: str | Path,
    eval_list: str | Path | None = None,
    table_columns: Sequence[str] | None = None,
    text_column: str = TEXT,
):
    """
    Read recordings and their table into a `datasets.Dataset` for training, and one for evaluation or `None`.

    The table is `metadata.csv` with a header (`file_name,text`, and whatever else, such as `speaker`), or without one
    in one of the layouts that [`columns_of`] knows, such as LJSpeech's `name|text|normalised text` and Piper's
    `name|speaker|text` for files in `wavs/`; or `metadata.jsonl`, with such an object a line, as
    `hf-vits synthesize` writes. Between columns are commas, semicolons, tabs or bars. Nothing is decoded
    here. The column `table_line` says where in the table each row is.

    Args:
        folder (`str` or `Path`):
            Folder with the table; file names in the table are relative to it.
        eval_list (`str` or `Path`, *optional*):
            A file that names the recordings to evaluate on, one per line; by default `eval.txt` or `heldout.txt` in
            the folder, if any.
        table_columns (`Sequence[str]`, *optional*):
            Columns of a table without a header, in order: `file_name` and `text`, others such as `speaker`, and `_` for
            ignored ones. Detected by default.
        text_column (`str`, *optional*, defaults to "text"):
            Name of the column of texts in a table with a header.

    Raises:
        FileNotFoundError: if there is no table, or no recording of a name in the evaluation list.
        ValueError: if the table has no usable column, no row, or a line that can be read in two ways; says which.
    """
    from datasets import Audio, Dataset

    folder = Path(folder).expanduser()
    table = next((folder / name for name in METADATA if (folder / name).is_file()), None)
    if table is None:
        raise FileNotFoundError(
            f"{folder} has no metadata.csv, a table with the columns file_name and text and a row for each recording "
            "(or metadata.jsonl, with an object of these a line)."
        )
    rows = _rows(table, table_columns, text_column)
    names = _eval_names(folder, eval_list)
    if missing := sorted(names - {row[FILE] for row in rows}):
        raise FileNotFoundError(
            f"{len(missing)} recordings of the evaluation list are not in {table}, the first is {missing[0]!r}. "
            f"Name them as it does, such as {rows[0][FILE]!r}."
        )

    def dataset(rows: list[dict[str, Any]]):
        columns = {name: [row[name] for row in rows] for name in rows[0] if name != FILE}
        columns["audio"] = [str(folder / row[FILE]) for row in rows]
        return Dataset.from_dict(columns).cast_column("audio", Audio(decode=False))

    kept = [row for row in rows if row[FILE] not in names]
    if not kept:
        raise ValueError(f"All {len(rows)} recordings of {table} are for evaluation; some must be left to train on.")
    return dataset(kept), dataset([row for row in rows if row[FILE] in names]) if names else None


def _rows(table: Path, table_columns: Sequence[str] | None = None, text_column: str = TEXT) -> list[dict[str, Any]]:
    """Return the rows of a table by the names of its columns, each with its line."""
    text = read_text(table)
    if table.suffix == ".jsonl":
        rows, lines = _rows_of_objects(table, text, text_column)
    else:
        first = text.lstrip("\n").split("\n", 1)[0]
        header = [name.strip(' "') for name in first.split(delimiter_of(first))]
        if table_columns:
            rows, lines = _rows_without_header(table, text, _separator(first, ",;"), table_columns)
        elif FILE in header:
            rows, lines = _rows_with_header(table, text_column)
        elif separator := _separator(first):
            rows, lines = _rows_without_header(table, text, separator)
        else:
            raise ValueError(
                f"{table} begins with {first[:100]!r}. Its first line must name the columns, {FILE} and {text_column} "
                "among them, or be a row such as name|text; or name the columns with `table_columns`."
            )
    if not rows:
        raise ValueError(f"{table} has no rows; it needs one for each recording.")
    return [{**row, PLACE: f"{table.name}, line {line}"} for row, line in zip(rows, lines, strict=True)]


def _separator(line: str, more: str = "") -> str | None:
    """Return the bar or tab that comes first in a line, or without them the first of `more` other characters."""
    found = {line.find(mark): mark for mark in ("|", "\t") if mark in line} or {
        line.find(mark): mark for mark in more if mark in line
    }
    return found[min(found)] if found else None


def _rows_of_objects(table: Path, text: str, text_column: str) -> tuple[list[dict[str, Any]], list[int]]:
    """Read JSON lines; columns are the fields of all objects, and null where an object lacks one."""
    rows, lines = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{table}, line {number}, is not JSON: {error}.") from error
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in (FILE, text_column)):
            raise ValueError(
                f"{table}, line {number}, is {line[:100]!r}; it must be an object of {FILE} and {text_column}, both "
                "strings."
            )
        rows.append(row)
        lines.append(number)
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows], lines


def _rows_with_header(table: Path, text_column: str) -> tuple[list[dict[str, str]], list[int]]:
    """Read a table with a header. Missing cells are empty and reported later; extra cells would be a text cut short."""
    read = read_table(table)
    needed = (FILE, TEXT) if text_column == TEXT else (FILE,)  # another name is checked later
    if missing := [name for name in needed if name not in read.columns]:
        raise ValueError(
            f"{table} has no column {' or '.join(map(repr, missing))}; its columns are "
            f"{', '.join(map(repr, read.columns))}. Rename them there, or name the one of the texts with `text_column`."
        )
    rows = [dict(zip(read.columns, cells, strict=True)) for cells in read.rows]
    recordings = Recordings(table.parent)
    return [{**row, FILE: recordings.path(row[FILE].strip())} for row in rows], read.lines


def _rows_without_header(
    table: Path, text: str, separator: str | None, table_columns: Sequence[str] | None = None
) -> tuple[list[dict[str, str]], list[int]]:
    """Read a table without a header; of several texts in a row, the last one that is not empty is used."""
    rows = rows_of_text(text, separator or "|", table)
    names = list(table_columns or columns_of(rows, table.parent, table))
    recordings, found = Recordings(table.parent), []
    for number, cells in rows:
        row = dict.fromkeys((name for name in names if name != IGNORED), "")
        for name, cell in zip(names, _fitted(cells, names, number, table), strict=True):
            row[name] = cell or row.get(name, "")
        row.pop(IGNORED, None)
        found.append({**row, FILE: recordings.find(row[FILE])})
    return found, [number for number, _ in rows]


def _fitted(cells: Sequence[str], names: Sequence[str], number: int, table: Path) -> list[str]:
    """Return one cell per column; a row may lack a second form of its text, and nothing else."""
    row = padded(cells, len(names))
    has_text = any(cell for name, cell in zip(names, row, strict=False) if name == TEXT)
    if len(row) > len(names) or not row[names.index(FILE)] or (len(cells) < len(names) and not has_text):
        layout = "|".join("name" if name == FILE else name for name in names)
        raise ValueError(
            f"{table}, line {number}, is {'|'.join(cells)[:100]!r}; it must be {layout}, as the lines before."
        )
    return row


def _eval_names(folder: Path, eval_list: str | Path | None) -> set[str]:
    lists = [Path(eval_list).expanduser()] if eval_list else [folder / name for name in EVAL_LISTS]
    file = next((file for file in lists if eval_list or file.is_file()), None)
    if file is None:
        return set()
    return {line.strip() for line in read_text(file).split("\n")} - {""}
