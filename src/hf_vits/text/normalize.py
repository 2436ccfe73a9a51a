"""Spelling: the Romanian letter of MMS, white space, and the English cleaner of the original VITS."""

import re

from hf_vits.text.tracked import TrackedText

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


def romanian_letters(text: TrackedText) -> TrackedText:
    """The t with a comma below as the t with a cedilla; the capital is left alone, as MMS left it."""
    return text.map(lambda character: ROMANIAN_T.get(character, character))


def collapse_white_space(text: TrackedText) -> TrackedText:
    """Every run of white space as one space."""
    return text.substitute(_WHITE_SPACE, lambda match: " ")


def english(text: TrackedText) -> TrackedText:
    """What the original VITS does to English before the phonemes: ASCII, lower case, abbreviations written out.

    Raises:
        ImportError: the text is not ASCII and Unidecode is not installed.
    """
    if not text.text.isascii():
        text = _to_ascii(text)
    return text.lower().substitute(_ABBREVIATION, lambda match: ABBREVIATIONS[match[1].lower()])


def _to_ascii(text: TrackedText) -> TrackedText:
    try:
        from unidecode import unidecode
    except ImportError as error:
        raise ImportError(
            "This voice spells English text in ASCII first, which needs the package Unidecode, and the text holds "
            'other letters. Run `pip install "hf_vits[phonemes]"`.'
        ) from error
    spelled = {character: unidecode(character) for character in set(text.text)}
    return text.map(spelled.__getitem__)
