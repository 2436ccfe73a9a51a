"""The data of a run: a folder of recordings, or a data set of the Hub, and the part of it that is held out."""

import re
from collections.abc import Sequence
from pathlib import Path

from hf_vits.dataset_files import hub_split
from hf_vits.training.data import Columns
from hf_vits.training.folder import read_folder

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
"""What a data set of the Hub is called."""


def load_data(
    name: str,
    config_name: str | None = None,
    train_split: str = "train",
    held_out_split: str | None = None,
    streaming: bool = False,
    held_out_clips: int = 16,
    table_columns: Sequence[str] | None = None,
    columns: Columns | None = None,
):
    """
    Training rows and held-out ones, or `None` if nothing says which are held out.

    Args:
        name (`str`):
            A folder that [`read_folder`] reads, or a data set of the Hub.
        config_name, train_split, held_out_split (`str`, *optional*):
            As in `datasets.load_dataset`.
        streaming (`bool`, *optional*, defaults to `False`):
            Read rows while training instead of fetching all of them first.
        held_out_clips (`int`, *optional*, defaults to 16):
            How many of a stream are held out, its first ones, unless `held_out_split` is given.
        table_columns (`Sequence[str]`, *optional*):
            What the columns of a folder's table without a header are, as in [`read_folder`].
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
        _check_folder_has_all(folder, config_name, train_split, held_out_split, streaming)
        return read_folder(folder, table_columns=table_columns, text_column=columns.text)
    if not folder.is_dir() and not HUB_NAME.fullmatch(name):
        raise FileNotFoundError(_no_folder(folder))
    train = _split(name, config_name, train_split, streaming)
    if held_out_split:
        return train, _split(name, config_name, held_out_split, streaming)
    return (train.skip(held_out_clips), train.take(held_out_clips)) if streaming else (train, None)


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
    folder: Path, config_name: str | None, train_split: str, held_out_split: str | None, streaming: bool
) -> None:
    """Raises `ValueError` for settings of data sets that a folder of recordings has no use for."""
    given = {
        "dataset_config_name": config_name,
        "train_split": None if train_split == "train" else train_split,
        "held_out_split": held_out_split,
        "streaming": streaming,
    }
    if without_use := {name: value for name, value in given.items() if value}:
        raise ValueError(
            f"{folder} is a folder of recordings, to which {without_use} do not apply: they are of data sets of the "
            "Hub. Leave them out; what is held out of a folder stands in its heldout.txt."
        )
