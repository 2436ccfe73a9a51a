"""Spelling: the Romanian letter of MMS, white space, and the English cleaner of the original VITS."""

import functools
import os
import re
import threading

from hf_vits.text.offsets import TextWithOffsets

ROMANIAN_T = {"ț": "ţ"}  # comma below -> cedilla, the spelling of the Romanian MMS vocabulary
ABBREVIATIONS = {
    "mrs": "misess",  # the spelling the published voices were trained with
    "mr": "mister",
    "dr": "doctor",
    "st": "saint",
    "co": "company",
    "jr": "junior",
    "maj": "major",
    "gen": "general",
    "drs": "doctors",
    "rev": "reverend",
    "lt": "lieutenant",
    "hon": "honorable",
    "sgt": "sergeant",
    "capt": "captain",
    "esq": "esquire",
    "ltd": "limited",
    "col": "colonel",
    "ft": "fort",
}
_ABBREVIATION = re.compile(rf"\b({'|'.join(ABBREVIATIONS)})\.", re.IGNORECASE)
_WHITE_SPACE = re.compile(r"\s+")


def romanian_letters(text: TextWithOffsets) -> TextWithOffsets:
    """The t with a comma below as the t with a cedilla; the capital is left alone, as MMS left it."""
    return text.map(lambda character: ROMANIAN_T.get(character, character))


def collapse_white_space(text: TextWithOffsets) -> TextWithOffsets:
    """Every run of white space as one space."""
    return text.substitute(_WHITE_SPACE, lambda match: " ")


def english(text: TextWithOffsets) -> TextWithOffsets:
    """What the original VITS does to English before the phonemes: ASCII, lower case, abbreviations written out.

    Raises:
        ImportError: the text is not ASCII and Unidecode is not installed.
    """
    if not text.text.isascii():
        text = _to_ascii(text)
    return text.lower().substitute(_ABBREVIATION, lambda match: ABBREVIATIONS[match[1].lower()])


def _to_ascii(text: TextWithOffsets) -> TextWithOffsets:
    try:
        from unidecode import unidecode
    except ImportError as error:
        raise ImportError(
            "This voice spells English text in ASCII first, which needs the package Unidecode, and the text holds "
            'other letters. Run `pip install "hf_vits[phonemes]"`.'
        ) from error
    spelled = {character: unidecode(character) for character in set(text.text)}
    return text.map(spelled.__getitem__)


_LOCK = threading.RLock()
if hasattr(os, "register_at_fork"):  # a child forked while another thread romanises must not wait for it for ever
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def romanize(text: TextWithOffsets) -> TextWithOffsets:
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


def _with_uroman(text: TextWithOffsets) -> TextWithOffsets:
    if text.spans is None:
        return TextWithOffsets(romanized_string(text.text), None)
    from uroman import RomFormat

    with _LOCK:
        edges = _uroman().romanize_string(text.text, rom_format=RomFormat.EDGES)
    pieces = [TextWithOffsets(edge.txt, [text.span(edge.start, edge.end)] * len(edge.txt)) for edge in edges]
    return TextWithOffsets.join(pieces, track=True)


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
