"""A folder of recordings and what is said in them, as a data set."""

import csv
import io
import json
from pathlib import Path
from typing import Any

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.txt")
"""Names of the table, as `datasets` (the first two) and LJSpeech call it."""


def read_folder(folder: str | Path, held_out: str | Path | None = None):
    """
    Recordings with a table beside them -> a `datasets.Dataset` for training, and one that is held out or `None`.

    The table is `metadata.csv`, either with a header (`file_name,text`, and whatever else, such as `speaker`) or, as in
    LJSpeech, `name|text|normalised text` without one, for files in `wavs/`; or `metadata.jsonl`, with such an object a
    line, as `examples/synthesize_dataset.py` writes. Nothing is decoded here.

    Args:
        folder (`str` or `Path`):
            Where the table is; file names in it are relative to it.
        held_out (`str` or `Path`, *optional*):
            A file that names the held-out recordings, one a line; `heldout.txt` in the folder if it is there.

    Raises:
        FileNotFoundError: if there is no table, or no recording of a name that is held out.
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
    rows = _rows(table)
    names = _held_out_names(folder, held_out)
    if missing := sorted(names - {row["file_name"] for row in rows}):
        raise FileNotFoundError(
            f"{len(missing)} held-out recordings are not in {table}, the first is {missing[0]!r}. Name them as it "
            f"does, such as {rows[0]['file_name']!r}."
        )

    def dataset(rows: list[dict[str, Any]]):
        columns = {name: [row[name] for row in rows] for name in rows[0] if name != "file_name"}
        columns["audio"] = [str(folder / row["file_name"]) for row in rows]
        return Dataset.from_dict(columns).cast_column("audio", Audio(decode=False))

    kept = [row for row in rows if row["file_name"] not in names]
    if not kept:
        raise ValueError(f"All {len(rows)} recordings of {table} are held out; some must be left to train on.")
    return dataset(kept), dataset([row for row in rows if row["file_name"] in names]) if names else None


def _rows(table: Path) -> list[dict[str, Any]]:
    text = _read(table)
    if table.suffix == ".jsonl":
        return _rows_of_objects(table, text)
    first = text.split("\n", 1)[0]
    if "file_name" in first:
        rows = _rows_with_header(table, text)
    elif "|" in first:
        rows = _rows_of_bars(table, text)
    else:
        raise ValueError(
            f"{table} begins with {first[:100]!r}. Its first line must name the columns, file_name and text among "
            "them, or be a row such as name|text."
        )
    return _some(table, rows)


def _some(table: Path, rows: list) -> list:
    if not rows:
        raise ValueError(f"{table} has no rows; it needs one for each recording.")
    return rows


def _rows_of_objects(table: Path, text: str) -> list[dict[str, Any]]:
    """Columns are the fields of all objects; one that an object lacks is null in its row."""
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{table}, line {number}, is not JSON: {error}.") from error
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("file_name", "text")):
            raise ValueError(
                f"{table}, line {number}, is {line[:100]!r}; it must be an object of file_name and text, both strings."
            )
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return _some(table, [{name: row.get(name) for name in names} for row in rows])


def _rows_with_header(table: Path, text: str) -> list[dict[str, str]]:
    """Cells that a row lacks are empty, and reported as such later; cells too many would be a text cut short."""
    reader, rows = csv.DictReader(io.StringIO(text), restval="", strict=True), []
    if missing := {"file_name", "text"} - set(reader.fieldnames):
        raise ValueError(f"{table} has no column {sorted(missing)}; its columns are {reader.fieldnames}.")
    advice = "Put a text with commas or quotation marks in quotation marks, and double those within it."
    try:
        for row in reader:
            if None in row:
                raise ValueError(f"{table}, line {reader.line_num}, has more cells than the header names. {advice}")
            rows.append(row)
    except csv.Error as error:
        raise ValueError(f"{table} cannot be read after line {reader.line_num}: {error}. {advice}") from error
    return rows


def _rows_of_bars(table: Path, text: str) -> list[dict[str, str]]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        name, *texts = line.split("|")
        if line.strip() and not texts:
            raise ValueError(f"{table}, line {number}, is {line[:100]!r}; it must be name|text, as the lines before.")
        if texts:
            said = next((text for text in reversed(texts) if text.strip()), "")
            rows.append({"file_name": f"wavs/{name}.wav", "text": said})
    return rows


def _held_out_names(folder: Path, held_out: str | Path | None) -> set[str]:
    file = Path(held_out).expanduser() if held_out else folder / "heldout.txt"
    if held_out is None and not file.is_file():
        return set()
    return {line.strip() for line in _read(file).split("\n")} - {""}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not in UTF-8: {error}. Save it as UTF-8.") from error
