"""Read tables and texts from plain files, without losing a row, a cell or a word."""

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DELIMITERS = (",", ";", "\t", "|")
"""Characters that separate cells, the most usual first."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the mark of UTF-16, so it is tried before it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

ADVICE = "Put a text with commas or quotation marks in quotation marks, and double those within it."

Line = tuple[int, list[str]]
"""The number of a line, from 1, and the cells of the row that begins there."""


@dataclass
class Table:
    """The names of the columns, the cells of each row, as many as there are names, and the line of each row."""

    columns: list[str]
    rows: list[list[str]]
    lines: list[int]


def read_text(file: Path) -> str:
    """Return the text of a file, with `\\n` between lines and without byte order marks.

    Raises:
        ValueError: if it is not in UTF-8, and has no byte order mark of UTF-16 or UTF-32.
    """
    raw = file.read_bytes()
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not in UTF-8: {error}. Save it as UTF-8.") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\n\ufeff", "\n")  # joined files have a mark at each of their beginnings


def read_lines(file: Path) -> list[str]:
    """Return the lines of a file; an empty last one is no line."""
    return read_text(file).removesuffix("\n").split("\n") if file.stat().st_size else []


def delimiter_of(header: str) -> str:
    """Return what separates the names in a header: the one that is there most often, a comma if there is none."""
    return max(DELIMITERS, key=header.count)


def read_table(file: Path, delimiter: str | None = None) -> Table:
    """
    Read a table whose first row names the columns.

    Empty cells may be missing at the end of a row. `delimiter` is found in the header if it is not given.

    Raises:
        ValueError: for a table without a header, two columns of one name, a row with more cells than the header has
            names, or a quotation mark that is not closed; says in which line.
    """
    text = read_text(file)
    if not text.strip():
        raise ValueError(f"{file} is empty; its first line must name the columns.")
    header = text.lstrip("\n").split("\n", 1)[0]
    (_, names), *rows = rows_of_text(text, delimiter or delimiter_of(header), file)
    names = [name.strip() or f"Unnamed: {number}" for number, name in enumerate(names)]
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ValueError(f"{file} has several columns called {twice}; its columns are {names}. Rename them.")
    cells = [_fitted(row, len(names), number, file) for number, row in rows]
    return Table(names, cells, [number for number, _ in rows])


def rows_of_text(text: str, delimiter: str, file: Path) -> list[Line]:
    """
    Split a text into rows of cells; lines without any are left out.

    Between commas and semicolons quotation marks are those of RFC 4180: a cell within them may hold delimiters and line
    breaks, and blanks before it do not count. Between bars they are letters. Between tabs both are in use: each line is
    a row if all have as many cells as the first, and otherwise if rows with quoted cells do not have as many either; so
    a text that begins with a quotation mark does not swallow the lines after it.
    """
    if delimiter in ",;":
        return list(_quoted_rows(text, delimiter, file))
    plain = [(number, line.split(delimiter)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if delimiter == "|":
        return plain
    if not _are_even(plain):
        try:
            quoted = list(_quoted_rows(text, delimiter, file))
        except ValueError:
            quoted = []
        if quoted and _are_even(quoted):
            return quoted
    return [(number, [_unquoted(cell) for cell in cells]) for number, cells in plain]


def read_objects(file: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """
    Read a list of JSON objects, or an object a line; return them and the lines where they are (1 for all of a list).

    Raises:
        ValueError: for what is no JSON or no object; says in which line.
    """
    text = read_text(file)
    if text.lstrip().startswith("[") and file.suffix.lower() == ".json":
        objects = _parsed(text, f"{file} is")
        if wrong := [number for number, item in enumerate(objects, 1) if not isinstance(item, dict)]:
            raise ValueError(f"{file}, item {wrong[0]} of its list, is no object; each must be one, with its columns.")
        return objects, [1] * len(objects)
    objects, lines = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            objects.append(_parsed(line, f"{file}, line {number}, is"))
            lines.append(number)
            if not isinstance(objects[-1], dict):
                raise ValueError(f"{file}, line {number}, is {line[:100]!r}; it must be an object, with its columns.")
    return objects, lines


def numbers_or_texts(cells: Sequence[str]) -> list:
    """Return a column's numbers if all its cells, but for empty ones, are written as Python writes those; otherwise the
    cells as they are, so that 007 stays 007."""
    for kind in (int, float):
        try:
            values = [kind(cell) if cell else None for cell in cells]
        except ValueError:
            continue
        if all(not cell or repr(value) == cell for cell, value in zip(cells, values, strict=True)):
            small = all(value is None or abs(value) < 2**63 for value in values)  # neither NaN nor beyond int64
            return values if small else list(cells)
    return list(cells)


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place} not JSON: {error}.") from error


def _fitted(cells: list[str], width: int, number: int, file: Path) -> list[str]:
    if any(cell.strip() for cell in cells[width:]):
        raise ValueError(f"{file}, line {number}, has more cells than the header names. {ADVICE}")
    return cells[:width] + [""] * (width - len(cells))


def _are_even(rows: Sequence[Line]) -> bool:
    return len({len(cells) for _, cells in rows}) == 1


def _quoted_rows(text: str, delimiter: str, file: Path) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    start = 1
    with _cells_of_any_length():
        try:
            for cells in reader:
                if cells:
                    yield start, cells
                start = reader.line_num + 1
        except csv.Error as error:
            raise ValueError(f"{file} cannot be read after line {start - 1}: {error}. {ADVICE}") from error


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    former = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(former)


def _unquoted(cell: str) -> str:
    """Return a cell without the quotation marks around all of it, if those within it are doubled."""
    inner = cell.strip()[1:-1]
    is_quoted = len(cell.strip()) > 1 and cell.strip()[0] == cell.strip()[-1] == '"'
    return inner.replace('""', '"') if is_quoted and '"' not in inner.replace('""', "") else cell
