"""Write timestamps to files, in the format of their endings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_vits.timestamps.formats import FORMATS, SpeechTimes
from hf_vits.utils.atomic_file import check_writable, new_file, storage_errors

NEEDED = ("sentence", "word")
"""Units without which no file is written; the others are used if there are any."""


def check_timestamps_file(path: str | Path) -> Path:
    """
    Return a path with the home folder expanded, to which timestamps can be written.

    Raises:
        ValueError: for an ending that is no format; lists those.
        OSError: if the folder does not exist or cannot be written to.
    """
    path = Path(path).expanduser()
    if _ending(path) not in FORMATS:
        endings = ", ".join(f".{name}" for name in FORMATS)
        raise ValueError(f"{path} ends with {path.suffix!r}, which is no format of timestamps; known are {endings}.")
    with storage_errors(path, every=True):
        check_writable(path)
    return path


def _ending(path: Path) -> str:
    return path.suffix.lstrip(".").lower()


def write_timestamps(
    path: str | Path, timestamps: Mapping[str, list[dict[str, Any]]], duration: float | None = None
) -> None:
    """
    Write a file of timestamps, completely or not at all.

    Args:
        path (`str` or `Path`):
            The file. Its ending is the format: `.srt`, `.vtt` (with a tag for each word), `.ass` (karaoke),
            `.TextGrid` (tiers of words and phones), `.json`, `.ctm` or `.txt` (labels of Audacity).
        timestamps (`dict`):
            Those of a text from a pipeline with `return_timestamps=True`, or lists of at least sentences and words.
        duration (`float`, *optional*):
            Seconds of the recording; by default up to the end of the last sentence.

    Raises:
        ValueError: for an unknown ending, or if units are missing.
        OSError: if the file cannot be written; names the folder and the cause.

    Example:

    ```python
    >>> from hf_vits.timestamps import write_timestamps

    >>> times = {"text": "Hello.", "start": 0.0, "end": 0.5}
    >>> write_timestamps("hello.srt", {"sentence": [times], "word": [times]})
    ```
    """
    path = check_timestamps_file(path)
    missing = [unit for unit in NEEDED if not isinstance(timestamps, Mapping) or unit not in timestamps]
    if missing:
        raise ValueError(
            f"A file needs timestamps of sentences and words, and there are none of {' and '.join(missing)}; give "
            '`speech["timestamps"]` of a pipeline with `return_timestamps=True`.'
        )
    lists = {f"{unit}s": timestamps.get(unit, []) for unit in ("sentence", "word", "phoneme", "character")}
    lists["marks"] = timestamps.get("mark", [])
    content = FORMATS[_ending(path)](SpeechTimes(path.stem, **lists, seconds=duration))
    with new_file(path) as staged, staged.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(content)
