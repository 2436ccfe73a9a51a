"""The speakers that a column of the data names, and whether the voice needs one."""

from hf_vits.configuration_vits import VitsConfig
from hf_vits.speaker_cells import speaker_labels, speaker_name
from hf_vits.training.rows import rows_of


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


def check_speakers_are_named(config: VitsConfig, column: str | None) -> None:
    """Raises `ValueError` if the voice has several speakers and no column says who speaks."""
    if config.num_speakers > 1 and column is None:
        who = list(config.speaker_names or range(config.num_speakers))
        raise ValueError(
            f"The voice has {config.num_speakers} speakers, {who}, but no column of the data is named that says who "
            "speaks. Name it with `speaker_column`; data of one speaker needs one too, with the same name in each row."
        )
