"""Who speaks, as a column of the data says it: by name, by number, or by the number of a name."""

import math

from hf_vits.configuration_vits import VitsConfig
from hf_vits.training.rows import rows_of


def speaker_labels(dataset, column: str | None):
    """The `datasets.ClassLabel` of a column that holds numbers of names; `None` for any other column."""
    from datasets import ClassLabel

    feature = (getattr(dataset, "features", None) or {}).get(column)
    return feature if isinstance(feature, ClassLabel) else None


def speaker_name(value: object, labels=None) -> str | None:
    """A cell of the column -> who speaks; `None` if it does not say, as an empty cell or NaN."""
    if labels is not None and isinstance(value, int):
        value = labels.int2str(value) if value >= 0 else None  # -1 is no label
    if isinstance(value, float) and (math.isnan(value) or value.is_integer()):
        value = None if math.isnan(value) else int(value)  # numbers become floats beside NaN
    return None if value is None else str(value).strip() or None


def speakers_of(column: str, *datasets) -> list[str]:
    """The names in a column of all data sets, sorted, so that every process and every resumed run numbers them alike.

    Numbers are sorted as numbers, so that those from 0 up keep their own. Rows without a speaker name none.
    """
    names = set()
    for dataset in datasets:
        labels = speaker_labels(dataset, column)
        names |= {speaker_name(row[column], labels) for row in rows_of(dataset.select_columns([column]))}
    names.discard(None)
    numbers = all(map(str.isdecimal, names))
    return sorted(names, key=lambda name: (int(name), name) if numbers else name)


def speaker_number(name: str, config: VitsConfig) -> int:
    """Who speaks, as the voice numbers its speakers; a number is an id unless the configuration has it as a name.

    Raises:
        ValueError: if the voice has no such speaker; says which it has.
    """
    is_id = name.isdecimal() and name not in (config.speaker_names or ())
    return config.speaker_index(int(name) if is_id else name)


def check_speakers_are_named(config: VitsConfig, column: str | None) -> None:
    """Raises `ValueError` if the voice has several speakers and no column says who speaks."""
    if config.num_speakers > 1 and column is None:
        who = list(config.speaker_names or range(config.num_speakers))
        raise ValueError(
            f"The voice has {config.num_speakers} speakers, {who}, but no column of the data is named that says who "
            "speaks. Name it with `speaker_column`; data of one speaker needs one too, with the same name in each row."
        )
