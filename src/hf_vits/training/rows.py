"""Rows of a data set with their sound as bytes or paths, which soundfile reads without torchcodec or FFmpeg."""

from collections.abc import Iterator

PLACE = "table_line"
"""Column that says where in a table of the user's each row is."""


def undecoded(dataset, column: str):
    """The same data set with its audio as bytes or paths."""
    from datasets import Audio

    if isinstance((dataset.features or {}).get(column), Audio):
        return dataset.cast_column(column, Audio(decode=False))
    return dataset


def rows_of(dataset) -> Iterator[dict]:
    """
    Its rows in their order.

    Raises:
        ValueError: if what is done to a stream has `datasets` decode its sound, and torchcodec is missing; says how to
            do without.
    """
    try:
        yield from dataset
    except ImportError as error:
        raise ValueError(
            f"The rows of this stream cannot be read as they are ({error}). Before it is filtered or mapped, call "
            "`.cast_column('audio', datasets.Audio(decode=False))` on it; instead of renaming columns, name them with "
            "`text_column`, `audio_column` and `speaker_column`; a folder of files is not streamed: give its name."
        ) from error


def column_names(dataset) -> list[str]:
    """Of a map-style data set or a stream; a stream that does not know them shows them in its first row."""
    return list(next(rows_of(dataset), {})) if dataset.column_names is None else list(dataset.column_names)
