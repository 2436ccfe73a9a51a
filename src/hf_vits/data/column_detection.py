"""Detect the columns of a table without a header: names of recordings, texts, and speakers."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from hf_vits.data.tables import Line
from hf_vits.utils.formatting import quoted

FILE, TEXT, SPEAKER, IGNORED = "file_name", "text", "speaker", "_"
"""Names of columns with a meaning; `_` is ignored."""

FOLDERS, SOUNDS = ("wavs", "", "wav", "audio", "clips"), (".wav", ".flac", ".ogg", ".mp3", ".opus")
"""Folders of recordings beside a table, and their extensions, the most usual first."""

HEADER_WORDS = {"text", "sentence", "transcript", "transcription", "speaker", "speaker_id", "speaker_name", "path"}
"""Cells that only a header has."""

FEW_ROWS = 8
"""Number of rows from which on values that are never repeated are no names of speakers."""

SHOWN = 8
"""Columns of a table that are shown in an error."""

LANGUAGE = re.compile(r"[A-Za-z]{2}([_-][A-Za-z]{2})?")
NAME = re.compile(r"[\w.+@'-]{1,40}")
NUMBER = re.compile(r"-?\d*[.,]\d+")
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
"""A letter of Chinese or Japanese, which have no spaces between words."""
WORDS = re.compile(rf"{UNSPACED.pattern}|\w+")
SENTENCE_ENDS = tuple('.!?…;:,"”»。！？')


def columns_of(rows: Sequence[Line], folder: Path, table: Path) -> list[str]:
    """
    Return the meaning of each column of a table without a header: `file_name`, `text`, `speaker`, or `_` for none.

    The rule. The recordings are named in the column whose cells are files, which is the first if none is. Of the others
    a column holds *names* if no cell ends with a punctuation mark, each is of one to three words, and a value comes
    twice or more on average; of fewer than eight rows, also if each cell is one word. It holds *texts* otherwise. Then:

    - one column of texts is the text; of two, of which the second repeats most words of the first, as in LJSpeech, the
      second is, as numbers are spelt out there, and the first where it is empty;
    - one column of names beside texts says who speaks, as in Piper's and VCTK's tables; a column of language codes
      beside it does not;
    - two columns of names are a text and a speaker if values of just one of them are repeated;
    - empty columns do not count.

    Raises:
        ValueError: for any other table, or one whose first line looks like a header; shows the columns, and says which
            setting names them.
    """
    if _is_header(rows[0][1], folder):
        raise ValueError(
            f"{table} begins with {'|'.join(rows[0][1])!r}, which looks like a header. Call the columns of recordings "
            f"and texts {FILE} and {TEXT} there, or leave the line out."
        )
    width = max(len(row) for _, row in rows)
    cells = [list(column) for column in zip(*(padded(row, width) for _, row in rows), strict=True)]
    names = [IGNORED] * len(cells)
    file = _file_column(cells, folder)
    names[file] = FILE
    used = [number for number, column in enumerate(cells) if number != file and any(column)]
    labels, texts = _labels_and_texts(used, cells)
    is_clear = len(texts) == 1 or (len(texts) == 2 and _repeats(cells[texts[0]], cells[texts[1]]))
    if not is_clear or len(labels) > 1 or any(NUMBER.fullmatch(c) for number in labels for c in cells[number]):
        raise ValueError(_unclear(rows, cells, table))
    for number in texts:
        names[number] = TEXT
    for number in labels:
        names[number] = SPEAKER
    return names


def padded(cells: Sequence[str], width: int) -> list[str]:
    """Return the cells without blanks around them, and empty ones where a row is shorter than others."""
    return [cell.strip() for cell in cells] + [""] * (width - len(cells))


class Recordings:
    """Find the recordings that a table names, with or without folder and extension."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.last: tuple[str, str | None] = ("wavs", ".wav")

    def find(self, name: str) -> str:
        """Return the path of a recording, relative to the folder; the usual one, `wavs/NAME.wav`, if there is none."""
        for place, ending in self._forms(name):
            file = _form(name, place, ending)
            if os.path.isfile(self.folder / file):
                self.last = place, ending
                return file
        if not is_sound(name):
            return _form(name, "wavs", ".wav")
        return name if "/" in name or "\\" in name else _form(name, "wavs", None)

    def has(self, name: str) -> bool:
        """Return True if there is a recording of the name."""
        return bool(name) and os.path.isfile(self.folder / self.find(name))

    def path(self, name: str) -> str:
        """Return a path as it is, or, if there is no such file, that of a recording of the name, if there is one."""
        return name if os.path.isfile(self.folder / name) or not self.has(name) else self.find(name)

    def _forms(self, name: str) -> Iterator[tuple[str, str | None]]:
        """Yield folders and extensions to try, those of the last recording first, as they rarely change."""
        yield self.last
        for place in FOLDERS:
            if is_sound(name):
                yield place, None
            for ending in (*SOUNDS, *map(str.upper, SOUNDS)):
                yield place, ending


def is_sound(name: str) -> bool:
    """Return True if a name has the extension of an audio file."""
    return Path(name).suffix.lower() in (*SOUNDS, ".aiff", ".aif", ".au", ".m4a", ".mp4", ".webm")


def _form(name: str, folder: str, ending: str | None) -> str:
    bare = str(Path(name).with_suffix("")) if is_sound(name) and ending else name
    return f"{folder}/{bare}{ending or ''}" if folder else f"{bare}{ending or ''}"


def _is_header(cells: Sequence[str], folder: Path) -> bool:
    words = {cell.strip().lower() for cell in cells[1:]}
    return bool(words & HEADER_WORDS) and not Recordings(folder).has(cells[0].strip())


def _file_column(cells: Sequence[Sequence[str]], folder: Path) -> int:
    """Return the column with most files among its first cells; the first column if there are none."""
    recordings = Recordings(folder)
    found = [sum(recordings.has(cell) for cell in column[:20]) for column in cells]
    return found.index(max(found))


def _labels_and_texts(used: list[int], cells: Sequence[Sequence[str]]) -> tuple[list[int], list[int]]:
    """Return the columns of names, and those of texts."""
    labels = [number for number in used if _holds_names(cells[number])]
    texts = [number for number in used if number not in labels]
    if not texts and len(labels) == 2 and _repeats(cells[labels[0]], cells[labels[1]]):
        return [], labels
    if not texts and len(labels) == 2:
        repeated = [number for number in labels if _is_repeated(cells[number])]
        if len(repeated) == 1:
            return repeated, [number for number in labels if number not in repeated]
    if not texts and len(labels) == 1:
        return [], labels
    if len(labels) > 1:
        speakers = [n for n in labels if not all(map(LANGUAGE.fullmatch, filter(None, cells[n])))]
        labels = speakers or labels
    return labels, texts


def _holds_names(column: Sequence[str]) -> bool:
    cells = [cell for cell in column if cell]
    if any(cell.endswith(SENTENCE_ENDS) or len(UNSPACED.findall(cell)) > 3 for cell in cells):
        return False
    if all(map(NAME.fullmatch, cells)):
        return len(cells) < FEW_ROWS or _is_repeated(cells)
    return _is_repeated(cells) and all(
        len(cell.split()) <= 3 and all(map(NAME.fullmatch, cell.split())) for cell in cells
    )


def _is_repeated(cells: Sequence[str]) -> bool:
    """Return True if the values of a column occur twice or more on average."""
    return len(set(cells)) * 2 <= len(cells)


def _repeats(first: Sequence[str], second: Sequence[str]) -> bool:
    """Return True if two columns hold the same texts, perhaps one with numbers and abbreviations written out."""
    shares = [_common(one, other) for one, other in zip(first, second, strict=True) if one and other]
    return bool(shares) and sum(shares) / len(shares) >= 0.3


def _common(one: str, other: str) -> float:
    """Return the share of the words of two texts that both have."""
    words, others = set(WORDS.findall(one.lower())), set(WORDS.findall(other.lower()))
    return len(words & others) / max(len(words | others), 1)


def _unclear(rows: Sequence[Line], cells: Sequence[Sequence[str]], table: Path) -> str:
    shown = "; ".join(
        f"column {number}: {', '.join(quoted(cell, 40) for cell in list(dict.fromkeys(filter(None, column)))[:3])}"
        for number, column in enumerate(cells[:SHOWN], 1)
    )
    example = ",".join([FILE, SPEAKER, TEXT, IGNORED][: len(cells)] if len(cells) > 2 else [FILE, TEXT])
    usual = Counter(len(row) for _, row in rows).most_common(1)[0][0]
    odd = next((number for number, row in rows if len(row) != usual), None)
    uneven = "" if odd is None else f" Line {odd} has another number of columns than most, which have {usual}."
    return (
        f"{table} has no header, and what its {len(cells)} columns are is not clear from the {len(rows)} rows.{uneven} "
        f"{shown}. "
        f"Name them in their order with `table_columns`, such as {example}, where {IGNORED} is a column that is not "
        f"read; or write a first line that names them, with {FILE} and {TEXT} among them."
    )
