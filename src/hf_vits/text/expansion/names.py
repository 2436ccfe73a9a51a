"""Readings of letters, acronyms, addresses of the internet and emoji."""

import re
import unicodedata

from hf_vits.text.expansion.language import Language
from hf_vits.text.expansion.readings import house, number, reading

_PART = re.compile(r"[0-9]+|[^\W\d_]|[^\w\s]|_")
_PART_OF_CODE = re.compile(r"[0-9]+|[^\W\d_]+")
_ADDRESS_PART = re.compile(r"[0-9]+|[^\W\d_]+|[^\w\s]|_")
_SCHEME = re.compile(r"(?:https?|ftp)://")
_CAMEL = re.compile(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+(?![a-z])|[0-9]+|[^\W\d_]+")
_VOWELS = frozenset("aeiouyаеиоуыэюяё")
_TONES = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f]")


@reading
def letters(language: Language, text: str) -> str:
    """Read letters by their names, digits and signs one by one."""
    return " ".join(filter(None, (_name(language, character) for character in text)))


def _name(language: Language, character: str) -> str:
    if character.isdecimal():
        return language.numbers.cardinal(int(character))
    if name := language.word("letters", character) or language.word("signs", character):
        return name
    base = unicodedata.normalize("NFKD", character)[:1]
    if base.isdecimal():
        return language.numbers.cardinal(int(base))
    return character.upper() if character.isalpha() else ""


@reading
def acronym(language: Language, text: str, plural: str = "") -> str:
    """Read an acronym by the names of its letters, or as the table `acronyms` says."""
    bare = "".join(filter(str.isalnum, text))
    names = language.tables.get("acronyms", {})
    if text in names and not names[text]:
        return letters(language, bare) + plural
    said = names.get(text) or (text if len(text) > 3 and _is_word(text) else letters(language, bare))
    return said + plural


@reading
def formula(language: Language, text: str) -> str:
    """Read letters by their names and digits, also subscripts, as numbers."""
    parts = _PART.findall(unicodedata.normalize("NFKC", text))
    return " ".join((part.isdecimal() and number(language, part)) or letters(language, part) for part in parts)


@reading
def code(language: Language, text: str) -> str:
    """Read a code of letters and digits, such as "WH-1000XM4": letters by name, short numbers as those of houses."""
    return " ".join(
        letters(language, part) if part.isalpha() or part[0] == "0" or len(part) > 4 else house(language, part)
        for part in _PART_OF_CODE.findall(text)
    )


@reading
def superscript(language: Language, text: str) -> str | None:
    """Read raised digits, such as those of an exponent, as a number."""
    return number(language, unicodedata.normalize("NFKC", text))


@reading
def address(language: Language, text: str) -> str:
    """Read an address of the internet: words as words, what has no vowel and the country by letters, signs by name."""
    parts, said = _ADDRESS_PART.findall(_SCHEME.sub("", text.removesuffix("/"))), []
    host_ends = next((i for i, part in enumerate(parts) if part == "/"), len(parts)) - 1
    for i, part in enumerate(parts):
        if part.isdecimal():
            said.append(number(language, part) or letters(language, part))
        elif not part[0].isalpha():
            said.append(_name(language, part))
        elif _is_word(part) and not (i == host_ends and len(part) == 2):
            said.append(language.word("domains", part) or camel(language, part))
        else:
            said.append(language.word("domains", part) or letters(language, part))
    return " ".join(filter(None, said))


def _is_word(part: str) -> bool:
    """Return True for letters with a vowel among them."""
    bases = (unicodedata.normalize("NFD", letter)[0] for letter in part.lower())
    return part.isalpha() and len(part) > 1 and any(base in _VOWELS for base in bases)


@reading
def camel(language: Language, text: str) -> str:
    """Read words that are written together, such as "BlackFriday"."""
    return " ".join(_CAMEL.findall(text))


@reading
def emoji(language: Language, text: str) -> str | None:
    """Read an emoji by its name, without the tone of its skin; None if it has none.

    Raises:
        ImportError: if the package emoji is not installed.
    """
    try:
        from emoji import EMOJI_DATA, demojize
    except ImportError as error:
        raise ImportError(
            "Emoji are named by the package emoji, which is not installed. "
            'Run `pip install "hf_vits[words]"`, or leave the expansion of written forms off.'
        ) from error
    plain = _TONES.sub("", text)
    known = next((form for form in (plain, f"{plain}\ufe0f", text) if form in EMOJI_DATA), None)
    if known is None:
        return None
    return demojize(known, language=language.code, delimiters=("", "")).replace("_", " ").replace("-", " ")


@reading
def vulgar(language: Language, text: str) -> str | None:
    """Read a fraction that is one character, or digits with a slash."""
    above, _, below = unicodedata.normalize("NFKC", text).replace("/", "\u2044").partition("\u2044")
    return language.fill("{fraction above below}", {"above": above, "below": below}) if below else None
