"""The speakers that a column of the data names, and whether the voice needs one."""

import logging

from hf_vits.configuration_vits import VitsConfig
from hf_vits.speaker_cells import speaker_labels, speaker_name
from hf_vits.training.rows import plain_rows, rows_of
from hf_vits.wording import listed

logger = logging.getLogger(__name__)

USUAL_NAMES = ("speaker", "speaker_id", "speaker_name")
"""What columns of who speaks are called, for data of which no column was named."""


def speakers_of(column: str, *datasets) -> list[str]:
    """The names in a column of all data sets, sorted, so that every process and every resumed run numbers them alike.

    Numbers are sorted as numbers, so that those from 0 up keep their own. Rows without a speaker name none.
    """
    names = set()
    for dataset in datasets:
        labels = speaker_labels(dataset, column)
        names |= {speaker_name(row[column], labels) for row in rows_of(plain_rows(dataset, [column]))}
    names.discard(None)
    numbers = all(map(str.isdecimal, names))
    return sorted(names, key=lambda name: (int(name), name) if numbers else name)


def check_speakers_are_named(config: VitsConfig, column: str | None) -> None:
    """Raises `ValueError` if the voice has several speakers and no column says who speaks."""
    if config.num_speakers > 1 and not column:
        who = list(config.speaker_names or range(config.num_speakers))
        raise ValueError(
            f"The voice has {config.num_speakers} speakers, {who}, but no column of the data is named that says who "
            "speaks. Name it with `speaker_column`; data of one speaker needs one too, with the same name in each row."
        )


def check_speakers_are_not_mixed(dataset, column: str | None) -> None:
    """
    Check that a column that seems to say who speaks is used, or is left unused on purpose, with the name "" for it.

    Raises:
        ValueError: if several speakers would be trained as one voice; says who they are and how to decide.
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
