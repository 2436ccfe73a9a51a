"""The recordings of a folder or data set, with their texts and a name for the files that are made of them."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hf_vits.alignment.aligner import ForcedAligner
from hf_vits.data.audio import audio_seconds
from hf_vits.data.columns import PLACE, column_names, plain_rows
from hf_vits.data.dataset import Columns, check_data
from hf_vits.data.load import load_data

logger = logging.getLogger(__name__)

ADAPTED_SECONDS = 600.0
"""Seconds of recordings, spread evenly, that an aligner adapts to."""


@dataclass
class Row:
    """
    A recording with its text.

    Args:
        name (`str`):
            Its path without the folder that all share, and without its ending; unique.
        place (`str`):
            Line of the table.
        source (`Any`):
            What `read_audio` takes.
        text (`str`):
            What is said, without line breaks; empty if there is none.
        is_evaluated (`bool`):
            It is in the evaluation list.
        other (`dict[str, Any]`):
            Its other columns.
    """

    name: str
    place: str
    source: Any
    text: str
    is_evaluated: bool = False
    other: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> list:
        """Return what an alignment depends on: name, text, and size and time of a file."""
        path = _path(self.source)
        status = os.stat(path) if path and os.path.isfile(path) else None
        return [self.name, self.text, *([status.st_size, status.st_mtime_ns] if status else [])]


def load_rows(recordings: str, columns: Columns) -> list[Row]:
    """
    Return the rows of a folder or data set that `hf-vits train` takes, those for evaluation last.

    Raises:
        FileNotFoundError, ValueError: as [`load_data`] does, and for a missing column.
    """
    found: list[Row] = []
    for is_evaluated, dataset in enumerate(load_data(recordings, columns=columns)):
        if dataset is None:
            continue
        check_data(dataset, columns)
        names = column_names(dataset)
        for number, item in enumerate(plain_rows(dataset, names)):
            text = item[columns.text]
            other = {name: item[name] for name in names if name not in (columns.text, columns.audio, PLACE)}
            place = item.get(PLACE) or f"row {number}"
            text = " ".join(text.split()) if isinstance(text, str) else ""
            found.append(Row("", place, item[columns.audio], text, bool(is_evaluated), other))
    for row, name in zip(found, _names([_path(row.source) for row in found]), strict=True):
        row.name = name
    return found


def adapt_to(aligner: ForcedAligner, rows: Sequence[Row], speaker_id: Any, batch_size: int) -> None:
    """Adapt an aligner to some minutes of rows, spread evenly; rows that cannot be read or said are passed over."""
    known = [row for row in rows if row.text]
    waveforms: list[np.ndarray] = []
    texts: list[str] = []
    seconds = ADAPTED_SECONDS
    for row in _spread(known):
        try:
            if waveforms and audio_seconds(row.source) > seconds:
                continue
            aligner.tokenizer(row.text)
            waveforms.append(aligner.waveform(row.source))
        except (ValueError, OSError):
            continue
        texts.append(row.text)
        seconds -= len(waveforms[-1]) / aligner.sampling_rate
    if waveforms:
        latents = aligner.latents(waveforms, _speakers(speaker_id, len(texts)), batch_size)
        aligner.adapt_latents(latents, waveforms, texts, [None] * len(texts), _speakers(speaker_id, len(texts)))
    if aligner.adaptation is None:
        logger.warning("There is too little speech to adapt to; of another speaker, some right texts will be doubted.")


def _speakers(speaker_id: Any, count: int) -> list | None:
    return None if speaker_id is None else [speaker_id] * count


def _spread(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield all rows, such that the first ones are spread over the whole."""
    step = max(1, len(rows) // 200)
    for first in range(step):
        yield from rows[first::step]


def _path(source: Any) -> str | None:
    path = source.get("path") if isinstance(source, Mapping) else source
    return path if isinstance(path, str) else None


def _names(paths: Sequence[str | None]) -> list[str]:
    """Return a name for each path; numbers where there is none, and where names repeat."""
    folders = [os.path.dirname(path) for path in paths if path]
    common = os.path.commonpath(folders) if folders and len({os.path.isabs(one) for one in folders}) == 1 else ""
    names, taken = [], set()
    for number, path in enumerate(paths):
        name = str(Path(os.path.relpath(path, common or ".")).with_suffix("")) if path else f"{number:06}"
        name = name if name not in taken and ".." not in name else f"{number:06}-{Path(name).name}"
        taken.add(name)
        names.append(name)
    return names
