"""The cleaners that Coqui's voices name in their configuration: what is done to a text before its symbols are taken."""

import re
from collections.abc import Callable

from hf_vits.text import english_numbers
from hf_vits.text.normalize import ABBREVIATIONS, collapse_white_space
from hf_vits.text.tracked import TrackedText

_AND = {"en": " and ", "fr": " et ", "it": " e ", "pt": " e ", "ca": " i "}
_BRACKETS = re.compile(r"[<>()\[\]\"]+")

# An abbreviation, which a full stop follows, and what is said for it.
_FRENCH = (
    ("M", "monsieur"),
    ("Mlle", "mademoiselle"),
    ("Mlles", "mesdemoiselles"),
    ("Mme", "Madame"),
    ("Mmes", "Mesdames"),
    ("N.B", "nota bene"),
    ("p.c.q", "parce que"),
    ("Pr", "professeur"),
    ("qqch", "quelque chose"),
    ("rdv", "rendez-vous"),
    ("max", "maximum"),
    ("min", "minimum"),
    ("no", "numéro"),
    ("adr", "adresse"),
    ("dr", "docteur"),
    ("st", "saint"),
    ("co", "companie"),
    ("jr", "junior"),
    ("sgt", "sergent"),
    ("capt", "capitain"),
    ("col", "colonel"),
    ("av", "avenue"),
    ("av. J.-C", "avant Jésus-Christ"),
    ("apr. J.-C", "après Jésus-Christ"),
    ("art", "article"),
    ("boul", "boulevard"),
    ("c.-à-d", "c’est-à-dire"),
    ("etc", "et cetera"),
    ("ex", "exemple"),
    ("excl", "exclusivement"),
)
# Written out without a full stop too, even where a longer word begins with one: so the voices were trained.
_FRENCH_WORDS = ("Mlle", "Mlles", "Mme", "Mmes")


def _stopped(pairs) -> list[tuple[re.Pattern, str]]:
    """Abbreviations that end in a full stop; a full stop inside of one is any character, as it is in Coqui."""
    return [(re.compile(rf"\b{short}\.", re.IGNORECASE), long) for short, long in pairs]


_ABBREVIATIONS = {
    "en": _stopped(ABBREVIATIONS.items()),
    "fr": _stopped(_FRENCH) + [(re.compile(rf"\b{word}"), dict(_FRENCH)[word]) for word in _FRENCH_WORDS],
}

Step = Callable[[TrackedText, str], TrackedText]


def _composed(text: TrackedText, language: str) -> TrackedText:
    return text.unicode_form("NFC")


def _lower(text: TrackedText, language: str) -> TrackedText:
    return text.lower()


def _spaces(text: TrackedText, language: str) -> TrackedText:
    return collapse_white_space(text)


def _turkish(text: TrackedText, language: str) -> TrackedText:
    return text.map(lambda character: "ı" if character == "I" else character)


def _one_line(text: TrackedText, language: str) -> TrackedText:
    return text.map(lambda character: "" if character == "\n" else character)


def _marks(text: TrackedText, language: str) -> TrackedText:
    """Rarer marks as commas, hyphens as spaces, and "&" as its word."""
    spelled = {"-": " ", ":": ","}
    if language != "el":  # where it is the question mark
        spelled[";"] = ","
    if language in _AND:
        spelled["&"] = _AND[language]
    if language == "ca":
        spelled |= {"-": "", "'": ""}
    return text.map(lambda character: spelled.get(character, character))


def _no_brackets(text: TrackedText, language: str) -> TrackedText:
    return text.substitute(_BRACKETS, lambda match: "")


def _abbreviations(text: TrackedText, language: str) -> TrackedText:
    for pattern, long in _ABBREVIATIONS.get(language, ()):
        text = text.substitute(pattern, lambda match, long=long: long)
    return text


def _numbers(text: TrackedText, language: str) -> TrackedText:
    return english_numbers.numbers(text)


def _times(text: TrackedText, language: str) -> TrackedText:
    return english_numbers.times(text)


_BASIC = (_composed, _lower, _spaces)
_LAST = (_marks, _no_brackets, _spaces)

CLEANERS: dict[str, tuple[Step, ...]] = {
    "basic_cleaners": _BASIC,
    "transliteration_cleaners": _BASIC,
    "basic_german_cleaners": _BASIC,
    "basic_turkish_cleaners": (_composed, _turkish, _lower, _spaces),
    "english_cleaners": (_composed, _lower, _times, _numbers, _abbreviations, *_LAST),
    "phoneme_cleaners": (_composed, _numbers, _abbreviations, *_LAST),
    "multilingual_cleaners": (_composed, _lower, *_LAST),
    "multilingual_phoneme_cleaners": (_composed, *_LAST),
    "french_cleaners": (_composed, _abbreviations, _lower, *_LAST),
    "portuguese_cleaners": (_composed, _lower, *_LAST),
    "no_cleaners": (_one_line,),
}
"""By Coqui's names. What they do to the ends of a whole text is left to the caller, who may have a piece of one."""

STRIPPING = frozenset(CLEANERS) - {"no_cleaners"}
"""Cleaners that take white space at the ends of a whole text away."""


def clean(text: TrackedText, name: str, language: str) -> TrackedText:
    """A text, or a piece of one, as the cleaner of this name writes it in a language such as "en" or "pt-br"."""
    language = language.split("-")[0].lower()
    for step in CLEANERS[name]:
        text = step(text, language)
    return text
