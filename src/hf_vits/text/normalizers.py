"""Normalizers: the Romanian letter of MMS, white space, the English cleaner of the original VITS, and uroman."""

import functools
import os
import re
import threading

from hf_vits.text.offsets import TextWithOffsets


def parse_table(text: str) -> dict[str, str]:
    """Parse "a=b;c=d"."""
    return dict(pair.split("=") for pair in text.split(";"))


# "misess" as in the training texts of the published models
ABBREVIATIONS = parse_table(
    "mrs=misess;mr=mister;dr=doctor;st=saint;co=company;jr=junior;maj=major;gen=general;drs=doctors;rev=reverend;"
    "lt=lieutenant;hon=honorable;sgt=sergeant;capt=captain;esq=esquire;ltd=limited;col=colonel;ft=fort"
)
_ABBREVIATION = re.compile(rf"\b({'|'.join(ABBREVIATIONS)})\.", re.IGNORECASE)
WHITE_SPACE = re.compile(r"\s+")
_UROMAN_LOCK = threading.RLock()
if hasattr(os, "register_at_fork"):  # else a child that is forked while another thread romanizes waits forever
    os.register_at_fork(
        before=_UROMAN_LOCK.acquire, after_in_parent=_UROMAN_LOCK.release, after_in_child=_UROMAN_LOCK.release
    )


def romanian_letters(text: TextWithOffsets) -> TextWithOffsets:
    """Replace the small t with comma below by that with cedilla, as in the Romanian vocabulary of MMS."""
    return text.map(lambda character: "ţ" if character == "ț" else character)


def collapse_white_space(text: TextWithOffsets) -> TextWithOffsets:
    """Replace every run of white space by one space."""
    return text.substitute(WHITE_SPACE, lambda match: " ")


def english(text: TextWithOffsets) -> TextWithOffsets:
    """Apply the English cleaner of the original VITS: convert to ASCII and lower case, expand abbreviations.

    Raises:
        ImportError: if the text is not ASCII and Unidecode is not installed.
    """
    if not text.text.isascii():
        text = _to_ascii(text)
    return text.lower().substitute(_ABBREVIATION, lambda match: ABBREVIATIONS[match[1].lower()])


def _to_ascii(text: TextWithOffsets) -> TextWithOffsets:
    try:
        from unidecode import unidecode
    except ImportError as error:
        raise ImportError(
            "This model's English text is converted to ASCII first, which needs the package Unidecode, because the "
            'text contains other letters. Run `pip install "hf_vits[phonemes]"`.'
        ) from error
    ascii_forms = {character: unidecode(character) for character in set(text.text)}
    return text.map(ascii_forms.__getitem__)


def romanize(text: TextWithOffsets) -> TextWithOffsets:
    """Convert any script to Latin letters with single spaces, as for MMS; ASCII does not need uroman.

    Raises:
        ImportError: if the text is not ASCII and uroman is not installed.
    """
    if not text.text.isascii():
        text = _romanized(text)
    return collapse_white_space(text).strip()


def romanized_string(text: str) -> str:
    """Return uroman's plain result."""
    with _UROMAN_LOCK:
        return _uroman().romanize_string(text)


def _romanized(text: TextWithOffsets) -> TextWithOffsets:
    if text.spans is None:
        return TextWithOffsets(romanized_string(text.text), None)
    from uroman import RomFormat

    with _UROMAN_LOCK:
        edges = _uroman().romanize_string(text.text, rom_format=RomFormat.EDGES)
    parts = [TextWithOffsets(edge.txt, [text.span(edge.start, edge.end)] * len(edge.txt)) for edge in edges]
    return TextWithOffsets.join(parts, track=True)


@functools.cache
def _uroman():
    """Return the only instance in the process: it reads tables for seconds."""
    try:
        from uroman import Uroman
    except ImportError as error:
        raise ImportError(
            "This model was trained on romanized text (`is_uroman=True`), which needs the package uroman. "
            'Run `pip install "hf_vits[phonemes]"`.'
        ) from error
    return Uroman()
