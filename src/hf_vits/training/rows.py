"""Rows of a data set as training reads them: the columns that are needed, with the sound as bytes or paths."""

from collections.abc import Iterator, Mapping, Sequence

PLACE = "table_line"
"""Column that says where in a table of the user's each row is."""


def plain_rows(dataset, columns: Sequence[str | None]):
    """
    Return a data set or stream with these columns alone, as Python's own values, and sound as bytes or paths.

    So nothing else of a row is read or decoded, and soundfile reads the sound without torchcodec or FFmpeg. A data set
    that a function of the user's transforms, or that is no class of `datasets`, is returned as it is.
    """
    from datasets import Audio

    if not hasattr(dataset, "select_columns") or _is_transformed(dataset):
        return dataset
    if _is_formatted(dataset):
        dataset = dataset.with_format(None)
    wanted = [name for name in (*columns, PLACE) if name and name in (dataset.column_names or columns)]
    if dataset.column_names is None or set(wanted) < set(dataset.column_names):
        dataset = dataset.select_columns(list(dict.fromkeys(wanted)))
    for name, feature in (dataset.features or {}).items():
        if isinstance(feature, Audio):
            dataset = dataset.cast_column(name, Audio(decode=False))
    return dataset


def check_is_split(dataset, columns: Mapping[str, str | None]) -> None:
    """
    Check that data are rows of one text and one sound each, as far as can be seen without reading any.

    Args:
        dataset (`datasets.Dataset`, `datasets.IterableDataset` or alike):
            The data.
        columns (`Mapping[str, str | None]`):
            Names of columns by what they hold, which is said in errors; "audio" among them.

    Raises:
        ValueError: for a dictionary of splits, batches, or sound inside of lists or structures; says what to do.
    """
    if isinstance(dataset, Mapping):
        names = list(dataset)
        raise ValueError(
            f"The data is a {type(dataset).__name__} of the splits {names}, and training takes one of them: give "
            f"data[{names[0] if names else 'train'!r}], and for evaluation another one."
        )
    features = getattr(dataset, "features", None) or {}
    lists = [name for name in columns.values() if name and _item_feature(features.get(name)) is not None]
    if lists and (len(lists) > 1 or lists != [columns["audio"]]):
        raise ValueError(
            f"The columns {lists} hold lists: these are batches. Give the data as it was before `.batch(...)`; how "
            "many rows a step takes is the setting `batch_size`."
        )
    audio = columns["audio"]
    if lists and _has_sound(features[audio]):
        raise ValueError(
            f"The column {audio!r} holds several sounds in each row. Give each recording a row of its own, with the "
            "text that is said in it."
        )
    if isinstance(features.get(audio), Mapping) and (path := _path_to_sound(features[audio])):
        keys = "".join(f"[{key!r}]" for key in path)
        raise ValueError(
            f"The column {audio!r} holds sound inside of a structure. Take it out, undecoded: `from datasets import *; "
            f"data = data.cast_column({audio!r}, {_undecoded(features[audio])!r}).map(lambda row: "
            f"{{{audio!r}: row[{audio!r}]{keys}}}, remove_columns=[{audio!r}])`."
        )


def rows_of(dataset, audio: str = "audio") -> Iterator[dict]:
    """
    Its rows in their order; `audio` is the name of the column of sound.

    Raises:
        ValueError: if what is done to a stream has `datasets` decode its sound, and torchcodec is missing; says how to
            do without.
    """
    from datasets import Value

    any_read = False
    try:
        for row in dataset:
            any_read = True
            yield row
    except ImportError as error:
        if "encod" in str(error) and not any_read and hasattr(dataset, "cast_column"):
            # A stream of paths, as that of a data set of plain files: `datasets` needs torchcodec to make Audio of
            # them, though nothing is done to the files.
            yield from dataset.cast_column(audio, Value("string"))
            return
        raise ValueError(
            f"The rows of this stream cannot be read as they are ({error}). Before it is filtered or mapped, call "
            f"`.cast_column({audio!r}, datasets.Audio(decode=False))` on it, and `.remove_columns(...)` for others "
            "of sound, pictures or video; instead of renaming columns, name them with `text_column`, `audio_column` "
            "and `speaker_column`; a folder of files is not streamed: give its name."
        ) from error


def column_names(dataset) -> list[str]:
    """Of a map-style data set or a stream; a stream that does not know them shows them in its first row."""
    return list(next(rows_of(dataset), {})) if dataset.column_names is None else list(dataset.column_names)


def _is_transformed(dataset) -> bool:
    return _format_of(dataset) == "custom"


def _is_formatted(dataset) -> bool:
    return _format_of(dataset) is not None


def _format_of(dataset) -> str | None:
    """What `with_format` or `with_transform` was called with; "custom" is a function of the user's."""
    if hasattr(dataset, "format"):
        return dataset.format["type"]
    return getattr(getattr(dataset, "_formatting", None), "format_type", None)  # of a stream nothing public says it


def _item_feature(feature):
    """The feature of the items, of a list."""
    if isinstance(feature, list | tuple):
        return feature[0]
    return getattr(feature, "feature", None)


def _has_sound(feature) -> bool:
    return _path_to_sound(feature) is not None


def _path_to_sound(feature) -> list[str] | None:
    """The keys that lead to an Audio inside of a feature, which may be one itself; `None` if there is none."""
    from datasets import Audio

    if isinstance(feature, Audio):
        return []
    if isinstance(feature, Mapping):
        found = ((key, _path_to_sound(part)) for key, part in feature.items())
        return next(([key, *path] for key, path in found if path is not None), None)
    item = _item_feature(feature)
    return None if item is None else _path_to_sound(item)


def _undecoded(feature):
    """The same feature, whose sound stays as bytes or paths."""
    from datasets import Audio

    if isinstance(feature, Audio):
        return Audio(decode=False)
    return {key: _undecoded(part) for key, part in feature.items()} if isinstance(feature, Mapping) else feature
