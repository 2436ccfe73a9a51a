"""Romanisation with uroman, for the MMS voices trained on it."""

import functools
import os
import threading

from hf_vits.text.normalize import collapse_white_space
from hf_vits.text.tracked import TrackedText

_LOCK = threading.RLock()
if hasattr(os, "register_at_fork"):  # a child forked while another thread romanises must not wait for it for ever
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def romanize(text: TrackedText) -> TrackedText:
    """Any script -> Latin letters with single spaces, as MMS trained; ASCII passes through without loading uroman.

    Raises:
        ImportError: the text is not ASCII and uroman is not installed.
    """
    if not text.text.isascii():
        text = _with_uroman(text)
    return collapse_white_space(text).strip()


def romanized_string(text: str) -> str:
    """The plain result of uroman, without positions."""
    with _LOCK:
        return _uroman().romanize_string(text)


def _with_uroman(text: TrackedText) -> TrackedText:
    if text.spans is None:
        return TrackedText(romanized_string(text.text), None)
    from uroman import RomFormat

    with _LOCK:
        edges = _uroman().romanize_string(text.text, rom_format=RomFormat.EDGES)
    pieces = [TrackedText(edge.txt, [text.span(edge.start, edge.end)] * len(edge.txt)) for edge in edges]
    return TrackedText.join(pieces, track=True)


@functools.cache
def _uroman():
    """One instance for the process: building it reads tables for seconds."""
    try:
        from uroman import Uroman
    except ImportError as error:
        raise ImportError(
            "This voice was trained on romanised text (`is_uroman=True`), which needs the package uroman. "
            'Run `pip install "hf_vits[phonemes]"`.'
        ) from error
    return Uroman()
