"""Who speaks, as a cell of a data set says it: by name, by number, or by the number of a name."""

import math

from hf_vits.configuration_vits import VitsConfig


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


def speaker_number(name: str, config: VitsConfig) -> int:
    """Who speaks, as the voice numbers its speakers; a number is an id unless the configuration has it as a name.

    Raises:
        ValueError: if the voice has no such speaker; says which it has.
    """
    is_id = name.isdecimal() and name not in (config.speaker_names or ())
    return config.speaker_index(int(name) if is_id else name)
