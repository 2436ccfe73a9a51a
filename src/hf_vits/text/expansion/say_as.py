"""Read a text as what its author says it is, as SSML's `say-as` does."""

import re

from hf_vits.text.expansion import amounts, calendar, names, readings
from hf_vits.text.expansion.expand import expand
from hf_vits.text.expansion.language import Language, codes, language_of
from hf_vits.utils.formatting import nearest, quoted
from hf_vits.utils.registry import Registry

KINDS = Registry("interpretation for say-as")
"""Functions of a [`Language`], the text and `format` that return the reading, or None for a text of another kind."""

_ALIASES = {"number": "cardinal", "spell-out": "characters", "verbatim": "characters", "phone": "telephone"}
_NUMBER = re.compile(r"[0-9]+")
_FRACTION = re.compile(r"(?:(?P<whole>[0-9]{1,12})[\s+-]+)?(?P<above>[0-9]{1,12})\s?[/⁄]\s?(?P<below>[0-9]{1,12})")
_TIME = re.compile(
    r"(?P<h>[0-9]{1,2})(?:[:.h](?P<m>[0-9]{2}))?(?:[:.](?P<s>[0-9]{2}))?\s*(?P<half>[ap]\.?\s?m?\.?)?", re.IGNORECASE
)
_ENDING = re.compile(
    r"(?P<number>[0-9]+(?:[.,\s][0-9]{3})*)\s?(?:st|nd|rd|th|er|re|e|ème|[ºª.]|-?[а-я]{1,3})?", re.IGNORECASE
)


def say_as(text: str, interpret_as: str, language: str | None = "en", format: str | None = None) -> str:
    """
    Return how a text is read that is a number, date, time or another known form.

    Args:
        text (`str`):
            What is written, such as "3/14/2024".
        interpret_as (`str`):
            `"cardinal"`, `"ordinal"`, `"characters"`, `"digits"`, `"date"`, `"time"`, `"telephone"`, `"unit"`,
            `"fraction"`, `"currency"`, `"address"`; also `"number"`, `"spell-out"`, `"verbatim"` and `"phone"`.
        language (`str`, *optional*):
            Language as an ISO code or espeak voice.
        format (`str`, *optional*):
            Of a date: the order of its parts, such as `"mdy"`, `"dmy"`, `"ymd"`, `"md"`, `"my"`, `"y"`; by default that
            of the language. Of a time: `"hms12"` or `"hms24"`, which change nothing.

    Raises:
        ImportError: if a number has to be spelled and unicode-rbnf is not installed.
        ValueError: for a text that is nothing of this kind, an unknown kind, and a language without rules.

    Example:

    ```python
    >>> from hf_vits.text.expansion.say_as import say_as

    >>> say_as("3/14/2024", "date")
    'March fourteenth, twenty twenty-four'
    ```
    """
    kind = _ALIASES.get(interpret_as, interpret_as)
    if kind not in KINDS:
        allowed = [*KINDS, *_ALIASES]
        raise ValueError(
            f"`interpret_as` is {quoted(interpret_as)}{nearest(str(interpret_as), allowed) or '.'} It can be one of "
            f"{', '.join(allowed)}."
        )
    if (known := language_of(language)) is None:
        raise ValueError(f"There are no rules for the language {quoted(language)}, but for {', '.join(codes())}.")
    if (reading := KINDS[kind](known, text.strip(), format or "")) is None:
        raise ValueError(f"{quoted(text)} cannot be read as {interpret_as!r}; write another form, or leave that out.")
    return reading


@KINDS.register("cardinal")
def _cardinal(language: Language, text: str, format: str) -> str | None:
    return readings.number(language, text) or readings.roman(language, text.upper())


@KINDS.register("ordinal")
def _ordinal(language: Language, text: str, format: str) -> str | None:
    if match := _ENDING.fullmatch(text):
        return readings.ordinal(language, match["number"])
    return readings.roman(language, text.upper(), "ordinal")


@KINDS.register("characters")
def _characters(language: Language, text: str, format: str) -> str | None:
    return names.letters(language, text) or None


@KINDS.register("digits")
def _digits(language: Language, text: str, format: str) -> str | None:
    return names.letters(language, text) if _NUMBER.search(text) else None


@KINDS.register("telephone")
def _telephone(language: Language, text: str, format: str) -> str | None:
    return readings.phone(language, text) if _NUMBER.search(text) else None


@KINDS.register("fraction")
def _fraction(language: Language, text: str, format: str) -> str | None:
    if (match := _FRACTION.fullmatch(text)) is None:
        return _changed(language, text)
    part = amounts.fraction(language, match["above"], match["below"])
    if not part or not match["whole"]:
        return part
    whole, is_half = readings.number(language, match["whole"]), int(match["above"]) * 2 == int(match["below"])
    return language.templates["mixed_half" if is_half else "mixed"].format(whole=whole, part=part)


@KINDS.register("time")
def _time(language: Language, text: str, format: str) -> str | None:
    if (match := _TIME.fullmatch(text)) is None:
        return _changed(language, text)
    half = match["half"] and f"{match['half'][0]}m"
    return calendar.time(language, match["h"], match["m"] or "", half or "", match["s"] or "")


@KINDS.register("date")
def _date(language: Language, text: str, format: str) -> str | None:
    parts = re.findall(r"[0-9]+|[^\W\d_]+", text)
    order = format.lower().replace("yyyy", "y").replace("yy", "y").replace("mm", "m").replace("dd", "d")
    if not order:
        order = _order(language, parts, text)
    if len(order) > len(parts):
        order = order.replace("y", "")
    if len(order) != len(parts) or set(order) - set("ymd"):
        return _changed(language, text)
    given = dict(zip(order, parts, strict=True))
    return calendar.date(language, *(given.get(name, "") for name in "ymd"))


def _order(language: Language, parts: list[str], text: str) -> str:
    """Return the order of the parts of a date, by the length of the year, names of months, and language."""
    if len(parts) == 3:
        if len(parts[0]) == 4:
            return "ymd"
        words = [not part.isdecimal() for part in parts]
        return "mdy" if words[0] else "dmy" if words[1] else language.templates["date_order"]
    if len(parts) == 2:
        if len(parts[0]) == 4:
            return "ym"
        if len(parts[1]) == 4:
            return "my"
        return "md" if not parts[0].isdecimal() else "dm" if not parts[1].isdecimal() else ""
    return "y" if len(parts) == 1 and len(text) == 4 else ""


for _name in ("unit", "currency", "address"):

    @KINDS.register(_name)
    def _by_rules(language: Language, text: str, format: str) -> str | None:
        return _changed(language, text)


def _changed(language: Language, text: str) -> str | None:
    """Return the reading of the language's rules; None if none of them applies."""
    reading = expand(text, language.voice)
    return None if reading == text else reading
