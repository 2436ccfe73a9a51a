"""The data of a run: a folder of recordings, or a data set of the Hub, and the part of it that is held out."""

from pathlib import Path

from hf_vits.training.folder import read_folder

HELD_OUT_SEED = 0
"""Of the choice of held-out clips, which must be the same in a run that is resumed."""


def load_data(
    name: str,
    config_name: str | None = None,
    train_split: str = "train",
    held_out_split: str | None = None,
    streaming: bool = False,
    held_out_clips: int = 16,
):
    """
    Training and held-out rows, undecoded.

    Args:
        name (`str`):
            A folder that [`read_folder`] reads, or a data set of the Hub.
        config_name, train_split, held_out_split (`str`, *optional*):
            As in `datasets.load_dataset`.
        streaming (`bool`, *optional*, defaults to `False`):
            Read rows while training instead of fetching all of them first.
        held_out_clips (`int`, *optional*, defaults to 16):
            How many are held out where neither folder nor `held_out_split` says which: chosen at random, or the first
            ones of a stream; no more than a tenth.

    Raises:
        ValueError: without a name.
        FileNotFoundError: as `read_folder` and `datasets.load_dataset` do.
    """
    if not name:
        raise ValueError("There is no data: give a folder with a metadata.csv, or a data set, as `dataset_name`.")
    if Path(name).expanduser().is_dir() and not any(Path(name).expanduser().glob("**/*.parquet")):
        train, held_out = read_folder(name)
    else:
        from datasets import load_dataset

        train = load_dataset(name, config_name, split=train_split, streaming=streaming)
        held_out = held_out_split and load_dataset(name, config_name, split=held_out_split, streaming=streaming)
    if held_out is not None:
        return train, held_out
    if not hasattr(train, "__len__"):
        return train.skip(held_out_clips), train.take(held_out_clips)
    count = min(held_out_clips, len(train) // 10)
    if count == 0:
        return train, None
    parts = train.train_test_split(count, seed=HELD_OUT_SEED)
    return parts["train"], parts["test"]
