"""Expand the written forms of a text, and keep the place of each in it."""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from hf_vits.text.abbreviations import conventions
from hf_vits.text.expansion import amounts, calendar, names, readings  # noqa: F401 - they register what templates call
from hf_vits.text.expansion.language import language_of
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.text.phoneme_blocks import BLOCK

_BEGINS = re.compile(r"[.!?…]\s+$")


class Expansion(NamedTuple):
    """
    A written form and how it is read.

    Args:
        start, end (`int`):
            Its span in the text.
        written, spoken (`str`):
            The form as written, and as it is read.
        rule (`str`):
            The name of the rule, or `"lexicon"`.
    """

    start: int
    end: int
    written: str
    spoken: str
    rule: str


def expansions(text: str, language: str | None, taken: Iterable[tuple[int, int]] = ()) -> list[Expansion]:
    """
    Return the written forms of a text in their order. Of two that overlap, the rule that is listed first has it.

    Args:
        text (`str`):
            Any text. What it holds in `[[ ]]` is kept.
        language (`str`, *optional*):
            Language of the text as an ISO code or espeak voice. Nothing is expanded in a language without rules.
        taken (`Iterable[tuple[int, int]]`):
            Spans to keep as they are.

    Raises:
        ImportError: if a number has to be spelled and unicode-rbnf is not installed.
    """
    known = language_of(language)
    if known is None:
        return []
    found, free = [], bytearray(b"\1") * len(text)
    for start, end in [*taken, *(block.span() for block in BLOCK.finditer(text))]:
        free[start:end] = bytes(end - start)
    for rule in known.rules:
        for match in rule.pattern.finditer(text):
            start, end = match.span("at" if "at" in rule.pattern.groupindex else 0)
            if start == end or 0 in free[start:end]:
                continue
            spoken = known.fill(rule.template, {".": text[start:end], **match.groupdict()})
            if spoken is None:
                continue
            free[start:end] = bytes(end - start)
            found.append(Expansion(start, end, text[start:end], _fitted(text, start, end, spoken, language), rule.name))
    return sorted(found)


def _fitted(text: str, start: int, end: int, spoken: str, language: str) -> str:
    """Return a reading with the case, the full stop and the spaces that its place needs."""
    begins = _BEGINS.search(text, max(0, start - 4), start)
    if begins and (begins[0][0] != "." or conventions(language).ends_sentence(text, 0, begins.start(), start)):
        spoken = spoken[:1].upper() + spoken[1:]
    spoken = with_stop(text, text[start:end], end, spoken, language)
    if not spoken:
        return spoken
    before, after = text[start - 1 : start], text[end : end + 1]
    first = text[start].isspace() or _joins(before, spoken[:1])
    last = text[end - 1].isspace() or _joins(spoken[-1:], after)
    return " " * first + spoken + " " * last


def _joins(left: str, right: str) -> bool:
    """Return True if a letter or digit touches another one, or a symbol."""
    return bool(left and right) and all(
        c.isalnum() or unicodedata.category(c) in ("So", "Sc", "Sm") for c in left + right
    )


def with_stop(text: str, written: str, end: int, spoken: str, language: str | None) -> str:
    """Return a reading with the full stop of the written form, if that ends the sentence too."""
    if not written.endswith("."):
        return spoken
    following = end
    while following < len(text) and not text[following].isalnum():
        if text[following] in ",;:–—-.!?/":
            return spoken
        following += 1
    if text[following : following + 1].islower():
        return spoken
    ends = conventions(language).ends_sentence(text, 0, end - 1, following)
    return f"{spoken}." if ends else spoken


def expanded(text: TextWithOffsets, found: Iterable[Expansion]) -> TextWithOffsets:
    """Return a text with its expansions, whose characters have the span of the written form."""
    parts, position = [], 0
    for item in found:
        words = item.spoken
        if parts and item.start == position:  # it touches the one before, of which it is separated by one space
            before = parts[-1].text[-1:]
            words = " " * _joins(before, words[:1]) + words[before == " " == words[:1] :]
        spoken = TextWithOffsets(words, text.spans and [text.span(item.start, item.end)] * len(words))
        parts += [text.slice(position, item.start), spoken]
        position = item.end
    return TextWithOffsets.join([*parts, text.slice(position, len(text.text))], text.spans is not None)


def expand(text: str, language: str | None = "en") -> str:
    """
    Return a text with its written forms as they are read.

    Args:
        text (`str`):
            Any text.
        language (`str`, *optional*):
            Language of the text as an ISO code or espeak voice.

    Raises:
        ImportError: if a number has to be spelled and unicode-rbnf is not installed.

    Example:

    ```python
    >>> from hf_vits.text.expansion.expand import expand

    >>> expand("Dr. Smith paid $3.50 in 1984.")
    'Doctor Smith paid three dollars and fifty cents in nineteen eighty-four.'
    ```
    """
    return expanded(TextWithOffsets.original(text, track=False), expansions(text, language)).text
