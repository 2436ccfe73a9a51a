"""The text cleaners that Coqui's configurations name, with English numbers, money and times in words."""

import re

from hf_vits.text.normalizers import ABBREVIATIONS, collapse_white_space, parse_table
from hf_vits.text.offsets import TextWithOffsets

_BASIC = ("compose", "lower", "spaces")
_LAST = ("marks", "brackets", "spaces")
# By Coqui's names. The caller strips the ends of the whole text, of which a cleaner may receive a part.
CLEANERS: dict[str, tuple[str, ...]] = {
    "basic_cleaners": _BASIC,
    "transliteration_cleaners": _BASIC,
    "basic_german_cleaners": _BASIC,
    "basic_turkish_cleaners": ("compose", "dotless i", "lower", "spaces"),
    "english_cleaners": ("compose", "lower", "times", "numbers", "abbreviations", *_LAST),
    "phoneme_cleaners": ("compose", "numbers", "abbreviations", *_LAST),
    "multilingual_cleaners": ("compose", "lower", *_LAST),
    "multilingual_phoneme_cleaners": ("compose", *_LAST),
    "french_cleaners": ("compose", "abbreviations", "lower", *_LAST),
    "portuguese_cleaners": ("compose", "lower", *_LAST),
    "no_cleaners": ("line feeds",),
}
STRIPPING = frozenset(CLEANERS) - {"no_cleaners"}  # cleaners after which the ends of the text are stripped


def clean(text: TextWithOffsets, name: str, language: str) -> TextWithOffsets:
    """Apply the cleaner of this name to a text, or to a part of it, in a language such as "en" or "pt-br"."""
    language = language.split("-")[0].lower()
    for step in CLEANERS[name]:
        text = _STEPS[step](text, language)
    return text


_AND = {"en": " and ", "fr": " et ", "it": " e ", "pt": " e ", "ca": " i "}
_BRACKETS = re.compile(r"[<>()\[\]\"]+")


def _replace_marks(text: TextWithOffsets, language: str) -> TextWithOffsets:
    """Replace colons and semicolons by commas, hyphens by spaces, and "&" by its word."""
    replacements = {"-": " ", ":": ","}
    if language != "el":  # where it is the question mark
        replacements[";"] = ","
    if language in _AND:
        replacements["&"] = _AND[language]
    if language == "ca":
        replacements |= {"-": "", "'": ""}
    return text.map(lambda character: replacements.get(character, character))


_FRENCH = parse_table(
    "M=monsieur;Mlle=mademoiselle;Mlles=mesdemoiselles;Mme=Madame;Mmes=Mesdames;N.B=nota bene;p.c.q=parce que;"
    "Pr=professeur;qqch=quelque chose;rdv=rendez-vous;max=maximum;min=minimum;no=numéro;adr=adresse;dr=docteur;"
    "st=saint;co=companie;jr=junior;sgt=sergent;capt=capitain;col=colonel;av=avenue;av. J.-C=avant Jésus-Christ;"
    "apr. J.-C=après Jésus-Christ;art=article;boul=boulevard;c.-à-d=c’est-à-dire;etc=et cetera;ex=exemple;"
    "excl=exclusivement"
)
# Expanded without a full stop too, even at the beginning of a longer word, as in the training of Coqui's models.
_FRENCH_WORDS = ("Mlle", "Mlles", "Mme", "Mmes")


def _with_full_stop(table: dict[str, str]) -> list[tuple[re.Pattern, str]]:
    """Compile abbreviations that end in a full stop; a full stop within one matches any character, as in Coqui."""
    return [(re.compile(rf"\b{short}\.", re.IGNORECASE), long) for short, long in table.items()]


_ABBREVIATIONS = {
    "en": _with_full_stop(ABBREVIATIONS),
    "fr": _with_full_stop(_FRENCH) + [(re.compile(rf"\b{word}"), _FRENCH[word]) for word in _FRENCH_WORDS],
}


def _expand_abbreviations(text: TextWithOffsets, language: str) -> TextWithOffsets:
    for pattern, long in _ABBREVIATIONS.get(language, ()):
        text = text.substitute(pattern, lambda match, long=long: long)
    return text


_STEPS = {
    "compose": lambda text, language: text.unicode_form("NFC"),
    "lower": lambda text, language: text.lower(),
    "spaces": lambda text, language: collapse_white_space(text),
    "dotless i": lambda text, language: text.map(lambda character: "ı" if character == "I" else character),
    "line feeds": lambda text, language: text.map(lambda character: "" if character == "\n" else character),
    "marks": _replace_marks,
    "brackets": lambda text, language: text.substitute(_BRACKETS, lambda match: ""),
    "abbreviations": _expand_abbreviations,
    "numbers": lambda text, language: numbers(text),
    "times": lambda text, language: times(text),
}

# By hand: the package inflect, which Coqui calls, has the same words below 10^36, but takes 1.5 s to import.
_SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SMALL += ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_THOUSANDS = ("", " thousand", " million", " billion", " trillion", " quadrillion", " quintillion", " sextillion")
_THOUSANDS += (" septillion", " octillion", " nonillion", " decillion")
_ORDINAL = parse_table("one=first;two=second;three=third;five=fifth;eight=eighth;nine=ninth;twelve=twelfth")
_MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound sterling", "pounds sterling", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
}
_WITH_COMMAS = re.compile(r"[0-9][0-9,]+[0-9]")
_SUM = re.compile(r"([£$¥])([0-9,.]*[0-9]+)")
# No match begins within digits, because the time for long sequences of them would be quadratic.
_DECIMAL = re.compile(r"(?<![0-9])[0-9]+\.[0-9]+")
_ORDINAL_NUMBER = re.compile(r"(?<![0-9])([0-9]+)(?:st|nd|rd|th)")
_NUMBER = re.compile(r"-?[0-9]+")
# White space after a time is removed even without "am" or "pm", as in the training of Coqui's models.
_TIME = re.compile(r"\b(0?[0-9]|1[0-9]|2[0-3]):([0-5][0-9])\s*(am|pm)?\b", re.IGNORECASE)


def numbers(text: TextWithOffsets) -> TextWithOffsets:
    """Write every number in words; numbers from 1001 to 2999 are read as years."""
    text = text.substitute(_WITH_COMMAS, lambda match: match[0].replace(",", ""))
    text = text.substitute(_SUM, lambda match: _money(*_MONEY[match[1]], match[2]))
    text = text.substitute(_DECIMAL, lambda match: match[0].replace(".", " point "))
    text = text.substitute(_ORDINAL_NUMBER, lambda match: _ordinal(match[1]))
    return text.substitute(_NUMBER, lambda match: _number(match[0]))


def times(text: TextWithOffsets) -> TextWithOffsets:
    """Write times such as 10:30 in words, with "a m" or "p m"."""
    return text.substitute(_TIME, lambda match: _time(int(match[1]), int(match[2]), match[3]))


def cardinal(digits: str, and_word: str = " and ") -> str:
    """Write a whole number in words, such as "one thousand, two hundred and one"; from 10^36 digit by digit."""
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
    afternoon = hour == 0 or hour >= 12  # Coqui writes "p m" for the hour after midnight too
    words = [_below_100(hour - 12 if hour > 12 else hour or 12)]
    if minute:
        words += [*(["oh"] if minute < 10 else []), _below_100(minute)]
    if half is None:
        half = "pm" if afternoon else "am"
    return " ".join([*words, *half])
