"""A folder of recordings and what is said in them, as a data set."""

import csv
from pathlib import Path

METADATA = ("metadata.csv", "metadata.txt")
"""Names of the table, as `datasets` and LJSpeech call it."""


def read_folder(folder: str | Path, held_out: str | Path | None = None):
    """
    Recordings with a table beside them -> a `datasets.Dataset` for training, and one that is held out or `None`.

    The table is `metadata.csv`, either with a header (`file_name,text`, and whatever else, such as `speaker`) or, as in
    LJSpeech, `name|text|normalised text` without one, for files in `wavs/`. Nothing is decoded here.

    Args:
        folder (`str` or `Path`):
            Where the table is; file names in it are relative to it.
        held_out (`str` or `Path`, *optional*):
            A file that names the held-out recordings, one a line; `heldout.txt` in the folder if it is there.

    Raises:
        FileNotFoundError: if there is no table, or no recording of a name that is held out.
        ValueError: if the table has no usable column, or no row.
    """
    from datasets import Audio, Dataset

    folder = Path(folder).expanduser()
    table = next((folder / name for name in METADATA if (folder / name).is_file()), None)
    if table is None:
        raise FileNotFoundError(
            f"{folder} has no metadata.csv, a table with the columns file_name and text and a row for each recording."
        )
    rows = _rows(table)
    names = _held_out_names(folder, held_out)
    if missing := sorted(names - {row["file_name"] for row in rows}):
        raise FileNotFoundError(f"{len(missing)} held-out recordings are not in {table}, the first is {missing[0]!r}.")

    def dataset(rows: list[dict[str, str]]):
        columns = {name: [row[name] for row in rows] for name in rows[0] if name != "file_name"}
        columns["audio"] = [str(folder / row["file_name"]) for row in rows]
        return Dataset.from_dict(columns).cast_column("audio", Audio(decode=False))

    kept = [row for row in rows if row["file_name"] not in names]
    if not kept:
        raise ValueError(f"All {len(rows)} recordings of {table} are held out; some must be left to train on.")
    return dataset(kept), dataset([row for row in rows if row["file_name"] in names]) if names else None


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        if "file_name" in first:
            rows = list(csv.DictReader(file))
        elif "|" in first:
            lines = [line.rstrip("\n").split("|") for line in file if line.strip()]
            rows = [{"file_name": f"wavs/{line[0]}.wav", "text": line[-1]} for line in lines]
        else:
            raise ValueError(f"{table} has no column file_name; its first line is {first.strip()[:100]!r}.")
    if not rows or "text" not in rows[0]:
        raise ValueError(f"{table} has {len(rows)} rows, and needs at least one, with the columns file_name and text.")
    return rows


def _held_out_names(folder: Path, held_out: str | Path | None) -> set[str]:
    file = Path(held_out).expanduser() if held_out else folder / "heldout.txt"
    if held_out is None and not file.is_file():
        return set()
    return set(file.read_text(encoding="utf-8").split("\n")) - {""}
