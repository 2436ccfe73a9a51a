"""The cleaners that Coqui's voices name in their configuration: what is done to a text before its symbols are taken."""

import re
from collections.abc import Callable

from hf_vits.text.normalizers import ABBREVIATIONS, collapse_white_space
from hf_vits.text.offsets import TextWithOffsets

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

Step = Callable[[TextWithOffsets, str], TextWithOffsets]


def _composed(text: TextWithOffsets, language: str) -> TextWithOffsets:
    return text.unicode_form("NFC")


def _lower(text: TextWithOffsets, language: str) -> TextWithOffsets:
    return text.lower()


def _spaces(text: TextWithOffsets, language: str) -> TextWithOffsets:
    return collapse_white_space(text)


def _turkish(text: TextWithOffsets, language: str) -> TextWithOffsets:
    return text.map(lambda character: "ı" if character == "I" else character)


def _one_line(text: TextWithOffsets, language: str) -> TextWithOffsets:
    return text.map(lambda character: "" if character == "\n" else character)


def _marks(text: TextWithOffsets, language: str) -> TextWithOffsets:
    """Rarer marks as commas, hyphens as spaces, and "&" as its word."""
    spelled = {"-": " ", ":": ","}
    if language != "el":  # where it is the question mark
        spelled[";"] = ","
    if language in _AND:
        spelled["&"] = _AND[language]
    if language == "ca":
        spelled |= {"-": "", "'": ""}
    return text.map(lambda character: spelled.get(character, character))


def _no_brackets(text: TextWithOffsets, language: str) -> TextWithOffsets:
    return text.substitute(_BRACKETS, lambda match: "")


def _abbreviations(text: TextWithOffsets, language: str) -> TextWithOffsets:
    for pattern, long in _ABBREVIATIONS.get(language, ()):
        text = text.substitute(pattern, lambda match, long=long: long)
    return text


def _numbers(text: TextWithOffsets, language: str) -> TextWithOffsets:
    return numbers(text)


def _times(text: TextWithOffsets, language: str) -> TextWithOffsets:
    return times(text)


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


def clean(text: TextWithOffsets, name: str, language: str) -> TextWithOffsets:
    """A text, or a piece of one, as the cleaner of this name writes it in a language such as "en" or "pt-br"."""
    language = language.split("-")[0].lower()
    for step in CLEANERS[name]:
        text = step(text, language)
    return text


_SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SMALL += ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_THOUSANDS = ("", " thousand", " million", " billion", " trillion", " quadrillion", " quintillion", " sextillion")
_THOUSANDS += (" septillion", " octillion", " nonillion", " decillion")
_ORDINAL = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound sterling", "pounds sterling", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
}

_WITH_COMMAS = re.compile(r"[0-9][0-9,]+[0-9]")
_SUM = re.compile(r"([£$¥])([0-9,.]*[0-9]+)")
# Nothing that begins inside of digits is looked at, or long runs of them would take the square of their length.
_DECIMAL = re.compile(r"(?<![0-9])[0-9]+\.[0-9]+")
_ORDINAL_NUMBER = re.compile(r"(?<![0-9])([0-9]+)(?:st|nd|rd|th)")
_NUMBER = re.compile(r"-?[0-9]+")
# The white space after a time belongs to it even if neither "am" nor "pm" follows: so the voices were trained.
_TIME = re.compile(r"\b(0?[0-9]|1[0-9]|2[0-3]):([0-5][0-9])\s*(am|pm)?\b", re.IGNORECASE)


def numbers(text: TextWithOffsets) -> TextWithOffsets:
    """Every number in words; from 1001 to 2999 as a year."""
    text = text.substitute(_WITH_COMMAS, lambda match: match[0].replace(",", ""))
    text = text.substitute(_SUM, lambda match: _money(*_MONEY[match[1]], match[2]))
    text = text.substitute(_DECIMAL, lambda match: match[0].replace(".", " point "))
    text = text.substitute(_ORDINAL_NUMBER, lambda match: _ordinal(match[1]))
    return text.substitute(_NUMBER, lambda match: _number(match[0]))


def times(text: TextWithOffsets) -> TextWithOffsets:
    """Times such as 10:30 in words, with the half of the day."""
    return text.substitute(_TIME, lambda match: _time(int(match[1]), int(match[2]), match[3]))


def cardinal(digits: str, and_word: str = " and ") -> str:
    """A whole number in words, such as "one thousand, two hundred and one"; from 10^36 up digit by digit."""
    digits = digits.lstrip("0") or "0"
    if len(digits) > 3 * len(_THOUSANDS):
        return " ".join(_SMALL[int(digit)] for digit in digits)
    if digits == "0":
        return _SMALL[0]
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [int(digits[start : start + 3]) for start in range(0, len(digits), 3)]
    names = reversed(_THOUSANDS[: len(groups)])
    parts = [_below_1000(group, and_word) + name for group, name in zip(groups, names, strict=True) if group]
    if len(parts) > 1 and 0 < groups[-1] < 100:
        return ", ".join(parts[:-1]) + and_word + parts[-1]
    return ", ".join(parts)


def _below_1000(number: int, and_word: str) -> str:
    hundreds, rest = divmod(number, 100)
    below = _below_100(rest) if rest or not hundreds else ""
    return _SMALL[hundreds] + " hundred" + (and_word + below if below else "") if hundreds else below


def _below_100(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_SMALL[ones]}" if ones else "")


def _ordinal(digits: str) -> str:
    words = cardinal(digits)
    start = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[start:]
    if last not in _ORDINAL:
        last = last[:-1] + "ie" if last.endswith("y") else last
    return words[:start] + _ORDINAL.get(last, last + "th")


def _number(text: str) -> str:
    sign, digits = ("minus ", text[1:]) if text[0] == "-" else ("", text)
    short = digits.lstrip("0")
    if sign or len(short) != 4 or not "1000" < short < "3000":
        return sign + cardinal(digits, " ")
    century, year = int(short[:2]), int(short[2:])
    if century == 20 and year < 10:
        return "two thousand" + (f" {_SMALL[year]}" if year else "")
    if year == 0:
        return f"{_below_100(century)} hundred"
    return f"{_below_100(century)} {'oh ' if year < 10 else ''}{_below_100(year)}"


def _money(one: str, several: str, one_part: str, several_parts: str, value: str) -> str:
    whole, *parts = value.replace(",", "").split(".")
    if len(parts) > 1:
        return f"{value} {several}"
    texts = []
    for digits, single, plural in ((whole, one, several), (parts[0] if parts else "", one_part, several_parts)):
        digits = digits.lstrip("0")
        if digits:
            texts.append(f"{digits} {single if digits == '1' else plural}")
    return " ".join(texts) or f"zero {several}"


def _time(hour: int, minute: int, half: str | None) -> str:
    afternoon = hour == 0 or hour >= 12  # so written for the hour after midnight too
    words = [_below_100(hour - 12 if hour > 12 else hour or 12)]
    if minute:
        words += [*(["oh"] if minute < 10 else []), _below_100(minute)]
    if half is None:
        half = "pm" if afternoon else "am"
    return " ".join([*words, *half])
