"""The columns of a data set that training reads: undecoded audio, texts, and speakers; and checks of them."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence

from hf_vits.configuration_vits import VitsConfig
from hf_vits.utils.formatting import listed

logger = logging.getLogger(__name__)

PLACE = "table_line"
"""Column with the line of each row in the user's table."""

USUAL_NAMES = ("speaker", "speaker_id", "speaker_name")
"""Usual names of a column of speakers, which are looked for if none was given."""


def speaker_labels(dataset, column: str | None):
    """Return the `datasets.ClassLabel` of a column of class numbers; `None` for any other column."""
    from datasets import ClassLabel

    feature = (getattr(dataset, "features", None) or {}).get(column)
    return feature if isinstance(feature, ClassLabel) else None


def speaker_name(value: object, labels=None) -> str | None:
    """Return the name of the speaker in a cell; `None` for an empty cell or NaN."""
    if labels is not None and isinstance(value, int):
        value = labels.int2str(value) if value >= 0 else None  # -1 is no label
    if isinstance(value, float) and (math.isnan(value) or value.is_integer()):
        value = None if math.isnan(value) else int(value)  # numbers become floats beside NaN
    return None if value is None else str(value).strip() or None


def speaker_number(name: str, config: VitsConfig) -> int:
    """Return the id of a speaker; a number is an id unless the configuration has it as a name.

    Raises:
        ValueError: if the model has no such speaker; lists its speakers.
    """
    is_id = name.isdecimal() and name not in (config.speaker_names or ())
    return config.speaker_index(int(name) if is_id else name)


def plain_rows(dataset, columns: Sequence[str | None]):
    """
    Return a data set or stream with these columns only, as Python values, with undecoded audio.

    Nothing else of a row is read or decoded, and soundfile reads the audio without torchcodec or FFmpeg. A data set
    with a user's transform, or of a class that is not of `datasets`, is returned as it is.
    """
    from datasets import Audio

    if not hasattr(dataset, "select_columns") or _format_of(dataset) == "custom":
        return dataset
    if _format_of(dataset) is not None:
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
    Check that data has one text and one recording per row, as far as its features show.

    Args:
        dataset (`datasets.Dataset`, `datasets.IterableDataset` or alike):
            The data.
        columns (`Mapping[str, str | None]`):
            Names of columns by their contents, "audio" among them.

    Raises:
        ValueError: for a dictionary of splits, batches, or audio inside lists or structures; says what to do.
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
            "many rows a step takes is the setting `per_device_train_batch_size`."
        )
    audio = columns["audio"]
    if lists and _path_to_audio(features[audio]) is not None:
        raise ValueError(
            f"The column {audio!r} holds several recordings in each row. Give each recording a row of its own, with "
            "its text."
        )
    if isinstance(features.get(audio), Mapping) and (path := _path_to_audio(features[audio])):
        keys = "".join(f"[{key!r}]" for key in path)
        raise ValueError(
            f"The column {audio!r} holds audio inside a structure. Take it out, undecoded: `from datasets import *; "
            f"data = data.cast_column({audio!r}, {_undecoded(features[audio])!r}).map(lambda row: "
            f"{{{audio!r}: row[{audio!r}]{keys}}}, remove_columns=[{audio!r}])`."
        )


def rows_of(dataset, audio: str = "audio") -> Iterator[dict]:
    """
    Iterate over the rows; `audio` is the name of the column of audio.

    Raises:
        ValueError: if a stream's transforms make `datasets` decode audio, and torchcodec is missing; says how to do
            without.
    """
    from datasets import Value

    any_read = False
    try:
        for row in dataset:
            any_read = True
            yield row
    except ImportError as error:
        if "encod" in str(error) and not any_read and hasattr(dataset, "cast_column"):
            # A stream of paths, as of a data set of plain files: `datasets` needs torchcodec to cast them to Audio,
            # although it does not decode them.
            yield from dataset.cast_column(audio, Value("string"))
            return
        raise ValueError(
            f"The rows of this stream cannot be read as they are ({error}). Before it is filtered or mapped, call "
            f"`.cast_column({audio!r}, datasets.Audio(decode=False))` on it, and `.remove_columns(...)` for others "
            "of sound, pictures or video; instead of renaming columns, name them with `text_column`, `audio_column` "
            "and `speaker_column`; a folder of files is not streamed: give its name."
        ) from error


def column_names(dataset) -> list[str]:
    """Return the names of the columns; those of a stream without features are read from its first row."""
    return list(next(rows_of(dataset), {})) if dataset.column_names is None else list(dataset.column_names)


def speakers_of(column: str, *datasets) -> list[str]:
    """Return the names in a column of all data sets, sorted, so that processes and resumed runs number them alike.

    Numbers are sorted as numbers, so that numbers from 0 up are their own ids. Rows without a speaker are ignored.
    """
    names = set()
    for dataset in datasets:
        labels = speaker_labels(dataset, column)
        names |= {speaker_name(row[column], labels) for row in rows_of(plain_rows(dataset, [column]))}
    names.discard(None)
    numbers = all(map(str.isdecimal, names))
    return sorted(names, key=lambda name: (int(name), name) if numbers else name)


def check_speakers_are_named(config: VitsConfig, column: str | None) -> None:
    """Raise `ValueError` if the model has several speakers and no column of speakers is given."""
    if config.num_speakers > 1 and not column:
        who = list(config.speaker_names or range(config.num_speakers))
        raise ValueError(
            f"The voice has {config.num_speakers} speakers, {who}, but no column of the data is named that says who "
            "speaks. Name it with `speaker_column`; data of one speaker needs one too, with the same name in each row."
        )


def check_speakers_are_not_mixed(dataset, column: str | None) -> None:
    """
    Check that a column that seems to hold speakers is used, or is ignored explicitly, by the name "".

    Raises:
        ValueError: if several speakers would be trained as one; lists them and says how to decide.
    """
    name = next((name for name in USUAL_NAMES if name in (dataset.column_names or ())), None)
    if column is not None or name is None:
        return
    advice = f"`--speaker_column {name}` learns a voice for each, `--speaker_column ''` one of all."
    if not hasattr(dataset, "unique"):
        logger.warning(f"The stream has a column {name!r}, which is not used: all its clips train one voice. {advice}")
        return
    labels = speaker_labels(dataset, name)
    names = {speaker_name(value, labels) for value in dataset.unique(name)} - {None}
    if len(names) > 1:
        raise ValueError(
            f"The column {name!r} of the data names {len(names)} speakers ({listed(sorted(names))}), who would be "
            f"trained as one voice, since no `speaker_column` is given. {advice}"
        )


def _format_of(dataset) -> str | None:
    """Return the type given to `with_format`; "custom" if `with_transform` was called."""
    if hasattr(dataset, "format"):
        return dataset.format["type"]
    # Streams have no public attribute for it.
    return getattr(getattr(dataset, "_formatting", None), "format_type", None)


def _item_feature(feature):
    """Return the feature of the items of a list; `None` for other features."""
    if isinstance(feature, list | tuple):
        return feature[0]
    return getattr(feature, "feature", None)


def _path_to_audio(feature) -> list[str] | None:
    """Return the keys that lead to an Audio inside a feature, [] for an Audio itself, `None` if there is none."""
    from datasets import Audio

    if isinstance(feature, Audio):
        return []
    if isinstance(feature, Mapping):
        found = ((key, _path_to_audio(part)) for key, part in feature.items())
        return next(([key, *path] for key, path in found if path is not None), None)
    item = _item_feature(feature)
    return None if item is None else _path_to_audio(item)


def _undecoded(feature):
    """Return the feature with undecoded audio."""
    from datasets import Audio

    if isinstance(feature, Audio):
        return Audio(decode=False)
    return {key: _undecoded(part) for key, part in feature.items()} if isinstance(feature, Mapping) else feature
