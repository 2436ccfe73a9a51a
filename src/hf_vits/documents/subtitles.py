"""Subtitles to speak: the text of each cue and its time, of SubRip (.srt), WebVTT (.vtt) and ASS (.ass)."""

import html
import re
from pathlib import Path
from typing import NamedTuple

ENDINGS = (".srt", ".vtt", ".ass", ".ssa")
"""Files whose cues are spoken at their times."""

MAX_SECONDS, MAX_CUES = 24 * 3600, 50_000
"""Limits of subtitles, so that a wrong number does not fill a disk with silence."""


class SpokenCue(NamedTuple):
    """The text of a cue, and when it begins and ends in seconds."""

    text: str
    start: float
    end: float


def is_subtitles(path: str | Path) -> bool:
    """Return True for a file of subtitles, by its ending."""
    return Path(path).suffix.lower() in ENDINGS


def read_cues(content: str, ending: str) -> list[SpokenCue]:
    """
    Return the cues of subtitles that hold words, by their beginnings.

    Args:
        content (`str`):
            The text of the file.
        ending (`str`):
            Its format: one of `ENDINGS`.

    Raises:
        ValueError: for subtitles without cues, or too many or too late ones.
        ImportError: without pysubs2; names the extra.
    """
    try:
        import pysubs2
    except ImportError as error:
        raise ImportError('Reading subtitles needs the package pysubs2: `pip install "hf_vits[documents]"`.') from error
    try:
        events = pysubs2.SSAFile.from_string(content, format_=ending.lstrip("."))
    except (pysubs2.Pysubs2Error, ValueError) as error:
        raise ValueError(f"The subtitles are damaged: {error}") from error
    cues = [SpokenCue(_words(event.plaintext), event.start / 1000, event.end / 1000) for event in events]
    cues = sorted((cue for cue in cues if any(map(str.isalnum, cue.text))), key=lambda cue: cue.start)
    if not cues:
        raise ValueError(f"There is no cue with words; are these subtitles in the format {ending}?")
    if len(cues) > MAX_CUES or cues[-1].start > MAX_SECONDS:
        raise ValueError(f"There are {len(cues)} cues up to {cues[-1].start:.0f} s; {MAX_CUES} in a day are allowed.")
    return cues


def _words(text: str) -> str:
    """Return the text of a cue on one line, without tags and the dashes before turns of speakers."""
    lines = (re.sub(r"^\s*[-–]\s+", "", line) for line in re.sub(r"<[^<>]*>", "", text).splitlines())
    return " ".join(html.unescape(" ".join(lines)).split())
