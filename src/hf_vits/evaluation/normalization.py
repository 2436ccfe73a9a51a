"""Normalize texts before they are compared: differences without a sound, as of case and punctuation, are no errors."""

import re
import unicodedata
from collections.abc import Callable

NOT_SPOKEN = ("P", "S", "C", "Z")
"""Beginnings of the Unicode categories of characters that separate words: punctuation, symbols, controls, spaces."""

APOSTROPHES = re.compile(r"(?<=\w)['’ʼ](?=\w)")
"""Apostrophes within a word."""


def is_english(language: str | None) -> bool:
    """Return True for the code of English, with or without a region."""
    return (language or "").lower().split("-")[0] in ("en", "eng")


def normalizer_of(language: str | None) -> Callable[[str], str]:
    """Return the normalizer of a language: Whisper's for English, with numbers and contractions; else `normalize`."""
    if is_english(language):
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()
    return normalize


def normalize(text: str) -> str:
    """
    Return a text in lower case, without punctuation and symbols, with single spaces between words.

    Marks of letters stay, since they distinguish words, and so does an apostrophe within a word.
    """
    words = APOSTROPHES.split(unicodedata.normalize("NFKC", text).casefold())
    return " ".join("'".join(map(_without_marks, words)).split())


def _without_marks(text: str) -> str:
    return "".join(" " if unicodedata.category(char).startswith(NOT_SPOKEN) else char for char in text)
