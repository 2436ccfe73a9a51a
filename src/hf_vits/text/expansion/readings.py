"""Functions that templates of rules call: readings of numbers and of what they count."""

import re
from collections.abc import Callable

from hf_vits.text.expansion.cases import OBLIQUE, declined
from hf_vits.text.expansion.language import READINGS, Language
from hf_vits.text.expansion.numbers import is_one

_ROMAN = re.compile(r"(?=[MDCLXVI])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_FEMININE_END = re.compile(r"ая\b|[ая]$")
_COMPOUND = {"ста": "сто", "девяноста": "девяносто", "тысячи": "тысяче", "одного": "одно"}
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def reading(function: Callable[..., str | None]) -> Callable[..., str | None]:
    """Register a function under its name."""
    return READINGS.register(function.__name__)(function)


@reading
def number(language: Language, text: str, form: str = "") -> str | None:
    """Read a number with sign, marks of thousands and decimals."""
    return language.numbers.number(text, form)


@reading
def ordinal(language: Language, text: str, form: str = "") -> str | None:
    """Read digits as an ordinal."""
    digits = "".join(filter(str.isdecimal, text))
    return language.numbers.ordinal(int(digits), form) if 0 < len(digits) <= 12 else None


@reading
def ordinal_form(language: Language, text: str, table: str, key: str) -> str | None:
    """Read digits as an ordinal in the form that a table has for what follows them, such as "3-й"."""
    form = language.word(table, key)
    return None if form is None else ordinal(language, text, form)


@reading
def year(language: Language, text: str) -> str | None:
    """Read digits as a year."""
    return language.numbers.year(int(text)) if text.isdecimal() and len(text) <= 6 else None


@reading
def year2(language: Language, text: str) -> str | None:
    """Read a year of four digits, or of two in this or the last century."""
    return year(language, text if len(text) != 2 else ("19" if int(text) > 50 else "20") + text)


@reading
def number_plain(language: Language, text: str, form: str = "") -> str:
    """Read digits as a number without the zeros before it and the marks in it."""
    return language.numbers.cardinal(int("".join(filter(str.isdecimal, text))), form)


@reading
def keep(language: Language, text: str) -> str:
    """Return a group as it is written."""
    return text


@reading
def digits(language: Language, text: str) -> str:
    """Read digits one by one."""
    return language.numbers.digits(text)


@reading
def groups(language: Language, text: str) -> str:
    """Read groups of digits one by one, with a short pause between groups."""
    return ", ".join(language.numbers.digits(group) for group in re.findall("[0-9]+", text))


@reading
def word(language: Language, table: str, key: str) -> str | None:
    """Return the word of a table; empty for an empty key."""
    return language.word(table, key) if key else ""


@reading
def roman(language: Language, text: str, kind: str = "number", form: str = "") -> str | None:
    """Read a Roman numeral as a cardinal, an ordinal or a year."""
    if (value := roman_value(text.upper())) is None:
        return None
    if kind == "year":
        return language.numbers.year(value)
    return language.numbers.ordinal(value, form) if kind == "ordinal" else language.numbers.cardinal(value, form)


@reading
def roman_form(language: Language, text: str, table: str, key: str) -> str | None:
    """Read a Roman numeral as an ordinal in the form that a table has for the next word."""
    form = language.word(table, key)
    return None if form is None else roman(language, text, "ordinal", form)


def roman_value(text: str) -> int | None:
    """Return the value of a Roman numeral in capitals; None for other text."""
    if not _ROMAN.fullmatch(text):
        return None
    values = [_ROMAN_VALUES[letter] for letter in text]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


@reading
def count(language: Language, text: str, table: str, key: str, case: str = "") -> str | None:
    """Read a number with what it counts, in the right form: "two kilograms"."""
    entry = (language.word(table, key) or "").partition("/")[0] or None
    parsed = language.numbers.parse(text)
    if entry is None or parsed is None:
        return None
    gender, _, forms = entry.rpartition(":")
    form = "-".join(filter(None, (language.numbers.genders.get(gender or "m", ""), case)))
    return f"{language.numbers.number(text, form)} {counted(language, parsed, forms, case)}"


def counted(language: Language, parsed: tuple[str, str, str], forms: str, case: str = "") -> str:
    """Return the form of a noun after a number: singular or plural; in Slavic languages also that after 2, 3 and 4."""
    names, (_, whole, decimals) = forms.split("|"), parsed
    value = int(whole or 0)
    if len(names) == 3:
        if decimals or case == "genitive" or case in OBLIQUE:
            is_counted = value and value % 1000 == 0  # "о тысяче рублей"
            return declined(forms, "genitive" if decimals or is_counted else case, bool(decimals) or is_one(value))
        if case == "accusative" and is_one(value):
            return _FEMININE_END.sub(lambda end: {"а": "у", "я": "ю", "ая": "ую"}[end[0]], names[0])
        few = value % 10 in (2, 3, 4) and value % 100 not in (12, 13, 14)
        return names[0] if is_one(value) else names[1] if few else names[2]
    singular = value < 2 if language.code == "fr" else value == 1 and not decimals
    return names[0] if singular else names[-1]


@reading
def compound(language: Language, text: str, rest: str) -> str:
    """Read a number that is written in one word with what follows, in the genitive: "сорокапятилетний"."""
    words = language.numbers.cardinal(int(text), "masculine-genitive").split()
    return "".join(_COMPOUND.get(word, word) for word in words) + rest


@reading
def number_for(language: Language, text: str, table: str, key: str) -> str | None:
    """Read a number in the gender of what it counts, without that."""
    gender = (language.word(table, key) or "").rpartition(":")[0]
    return number(language, text, language.numbers.genders.get(gender or "m", ""))


@reading
def noun_after(language: Language, text: str, table: str, key: str) -> str | None:
    """Return what a number counts, without the number."""
    entry, parsed = language.word(table, key), language.numbers.parse(text)
    return entry and parsed and counted(language, parsed, entry.partition("/")[0].rpartition(":")[2])


@reading
def by_gender(language: Language, table: str, key: str, *words: str) -> str | None:
    """Return the first word if a unit is masculine, the second if it is feminine, the third if it is neuter."""
    entry = language.word(table, key)
    return entry and words["mfn".index(entry.rpartition(":")[0] or "m")]


@reading
def counted_word(language: Language, table: str, key: str) -> str | None:
    """Return a unit in the singular."""
    entry = language.word(table, key)
    return entry and entry.partition("/")[0].rpartition(":")[2].split("|")[0]


@reading
def plural(language: Language, table: str, key: str) -> str | None:
    """Return a unit in the plural, that after five."""
    entry = language.word(table, key)
    return entry and entry.partition("/")[0].rpartition(":")[2].split("|")[-1]


@reading
def version_dots(language: Language, text: str) -> str:
    """Read numbers between dots, with the word for the dot."""
    parts = (language.numbers.cardinal(int(part)) for part in text.split("."))
    return f" {language.templates['dot']} ".join(parts)


@reading
def roman_capital(language: Language, text: str, form: str = "") -> str | None:
    """Read the number of a ruler as a noun: "der Achte"."""
    said = roman(language, text, "ordinal", form)
    return said and said[0].upper() + said[1:]


@reading
def phone(language: Language, text: str) -> str:
    """Read a telephone number in its groups; a group such as "800" as a number."""
    plus = f"{language.templates['plus']} " if text.lstrip(" (").startswith("+") else ""
    parts = re.findall("[0-9]+", text)
    hundreds = [len(part) == 3 and part[0] != "0" and part[1:] == "00" for part in parts]
    numbers = language.numbers
    read = [
        numbers.cardinal(int(part)) if whole else numbers.digits(part)
        for part, whole in zip(parts, hundreds, strict=True)
    ]
    return plus + ", ".join(read)


@reading
def phone_numbers(language: Language, text: str) -> str:
    """Read a telephone number in its groups, each as a number, but digit by digit where it begins with zero."""
    plus = f"{language.templates['plus']} " if text.lstrip(" (").startswith("+") else ""
    return plus + ", ".join(number(language, group) or "" for group in re.findall("[0-9]+", text))


@reading
def version(language: Language, text: str) -> str:
    """Read the parts of a version or address of four numbers, with the word for the dot or the decimal mark."""
    numbers = language.numbers
    parts = [numbers.digits(part) if part[0] == "0" else numbers.cardinal(int(part)) for part in text.split(".")]
    return f" {language.templates['dot'] if len(parts) == 4 else language.numbers.settings['point']} ".join(parts)


@reading
def decade(language: Language, text: str) -> str | None:
    """Read the number of a decade as an English plural, as "nineteen eighties"."""
    said = language.numbers.year(int(text))
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


@reading
def house(language: Language, text: str) -> str | None:
    """Read the number of an English house: three digits as "two twenty-one", four as a year."""
    if len(text) != 3 or text[1:] == "00":
        return language.numbers.year(int(text))
    rest = (
        f"oh {language.numbers.cardinal(int(text[2]))}" if text[1] == "0" else language.numbers.cardinal(int(text[1:]))
    )
    return f"{language.numbers.cardinal(int(text[0]))} {rest}"


@reading
def count_one(language: Language, text: str, table: str, key: str) -> str | None:
    """Read a number with a unit in the singular, as before a noun: "a twelve inch ruler"."""
    entry, said = language.word(table, key), number(language, text)
    return None if entry is None or said is None else f"{said} {entry.rpartition(':')[2].split('|')[0]}"


@reading
def minute(language: Language, text: str) -> str | None:
    """Read two digits, as those of minutes; "05" with the word that a language has for its zero, if any."""
    value, zero = int(text), language.templates.get("zero_minute", "")
    said = language.numbers.cardinal(value)
    return f"{zero} {said}" if zero and value < 10 else said
