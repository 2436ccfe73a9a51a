"""Files of timestamps beside the speech of `hf-vits speak`: subtitles and others, by their endings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hf_vits.timestamps.files import check_timestamps_file, write_timestamps

UNITS = ("sentence", "word", "phoneme")
"""What the files are made of."""

MARKS = "mark"
"""The list of the marks of SSML, in files that hold everything."""


class Subtitles:
    """
    Collect the timestamps of speech that is written chunk by chunk, and write them.

    Args:
        files (`list[Path]`):
            The files to write; without any, nothing is collected.
        rate (`int`):
            Samples per second.
        timestamps (`dict`, *optional*):
            Those of an earlier run, which this one continues.
    """

    def __init__(self, files: Sequence[Path], rate: int, timestamps: Mapping[str, list[dict]] | None = None):
        self.files, self.rate = files, rate
        self.timestamps: dict[str, list[dict]] = {unit: [] for unit in UNITS} | dict(timestamps or {})

    @property
    def units(self) -> tuple[str, ...] | None:
        """The value of the pipeline's `return_timestamps`."""
        return UNITS if self.files else None

    def add(self, chunk: Mapping[str, Any], later: int = 0) -> None:
        """Add the timestamps and marks of a chunk, moved by a number of samples; sums are exact to the sample."""
        for unit, times in {**chunk.get("timestamps", {}), MARKS: chunk.get("marks", [])}.items():
            moved = [{name: self._moved(value, later) for name, value in item.items()} for item in times]
            self.timestamps[unit] = [*self.timestamps.get(unit, []), *moved]

    def _moved(self, value: str | float, samples: int) -> str | float:
        return value if isinstance(value, str) else (round(value * self.rate) + samples) / self.rate

    def write(self) -> None:
        """Write all files."""
        for file in self.files:
            write_timestamps(file, self.timestamps)


def check_subtitles(files: Sequence[str], output: Path | None) -> list[Path]:
    """
    Return the files of timestamps to write, before there is speech.

    Raises:
        ValueError: for an ending that is no format, or a file that is given twice.
        OSError: if a file cannot be written.
    """
    paths = [check_timestamps_file(file) for file in files]
    taken = {output.resolve()} if output else set()
    for path in paths:
        if path.resolve() in taken:
            raise ValueError(f"{path} would be written twice; name each file of --output and --subtitles once.")
        taken.add(path.resolve())
    return paths
