"""Join the lines of a text that were wrapped at a width into paragraphs, and keep other lines.

A line was wrapped because the next word did not fit. So it is joined with the next line if that begins with a small
letter, or if its first word would not have fitted and the line is no item of a list, heading, verse or new speaker.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import nan

from hf_vits.text.abbreviations import begins_sentence
from hf_vits.text.phoneme_blocks import BLOCK

ENDS = ".!?…。！？｡।॥؟۔።։༎៕"
CLOSERS = "\"'”’»›)\\]}」』】）》〉"
OPENERS = "\"'“‘„‚«‹([{「『【（《〈¿¡—–-"
_NARROWEST, _WIDEST = 30, 160  # columns of wrapped lines; shorter lines are not wrapped, longer ones are paragraphs
_LINE = re.compile(r"[^\r\n\u2028\u2029\x0b\x0c\x85]*+(?:\r\n|[\r\n\u2028\u2029\x0b\x0c\x85]|$)")
_FIRST_WORD = re.compile(r"[^\W_]+")
_DASH = re.compile(r"[-–—−*+•‣◦▪●○·»>](?=\s)|[–—―‒]|--")
_NUMBERED = re.compile(r"[([]?(?:[0-9]{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)\]](?=\s)|[0-9]{1,3}(?:\.[0-9]{1,3})+\.?(?=\s)")
_MARKUP = re.compile(r"#{1,6}\s|\||>|={3}|```|\[\w+\]:\s")
_LABEL = re.compile(r"[^\W\d_][\w.’' -]{0,24}:(?=\s)")
_NUMBER = "1"
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10}
# Words after a hyphen that abbreviates the rest of a word: "Vor- und Nachteile".
_HANGING = "und oder bis sowie bzw and or to och eller og ja tai és vagy en of a i y e o u ou et ali"
_UNSPACED = re.compile(
    r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff60\U00020000-\U0003ffff]"
)
_SOUTH_EAST_ASIAN = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_UNSPACED_SLACK = 3  # columns that a line without spaces may lack: some marks must not begin or end a line


@dataclass
class _Line:
    """A line without white space at its ends, and its span in the text."""

    start: int
    end: int
    text: str
    characters: int
    columns: int

    @property
    def ends_sentence(self) -> bool:
        return self.text.rstrip(CLOSERS)[-1:] in ENDS

    @property
    def first(self) -> str:
        """First letter or digit, after quotation marks."""
        return self.text.lstrip(OPENERS + " ")[:1]


def paragraphs(text: str, language: str | None = None) -> Iterable[str]:
    """
    Yield the paragraphs and single lines of a text, each without line breaks.

    A line break becomes a space, but is removed in Chinese and Japanese, after a hyphen, and with a soft hyphen.

    Args:
        text (`str`):
            Any text.
        language (`str`, *optional*):
            Its language as an ISO code or espeak voice, to distinguish names from words that begin sentences.
    """
    inside = _breaks_in_blocks(text)
    group: list[_Line] = []
    for match in _LINE.finditer(text):
        line = _line(match)
        if line is None:  # blank
            yield from _joined(group, inside, language)
            group = []
        else:
            group.append(line)
    yield from _joined(group, inside, language)


def _line(match: re.Match) -> _Line | None:
    text = match[0].strip()
    if not text:
        return None
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    if text.isascii():
        return _Line(start, start + len(text), text, len(text), len(text))
    return _Line(start, start + len(text), text, len(text), columns(text))


def columns(text: str) -> int:
    """Return the width of a text in a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def _breaks_in_blocks(text: str) -> set[int]:
    """Return the ends of lines within `[[ ]]`, which are always joined."""
    found = set()
    for block in BLOCK.finditer(text):
        if "\n" in block[0] or "\r" in block[0]:
            for match in _LINE.finditer(block[0]):
                found.add(block.start() + match.start() + len(match[0].rstrip()))
    return found


def _joined(lines: list[_Line], inside: set[int], language: str | None) -> Iterable[str]:
    """Join the lines between two blank ones where they were wrapped."""
    if not lines:
        return
    wrapped = _Wrapping(lines, language)
    parts = [lines[0].text]
    for before, after in zip(lines, lines[1:], strict=False):
        if before.end in inside or wrapped.continues(before, after):
            parts += [wrapped.between(before, after), after.text]
        else:
            yield "".join(parts)
            parts = [after.text]
    yield "".join(parts)


class _Wrapping:
    """Infer whether, and at which width, the lines of a paragraph were wrapped."""

    def __init__(self, lines: list[_Line], language: str | None):
        self.language = language
        several = [line for line in lines if " " in line.text] or lines  # a single long word may exceed the width
        self.columns = max(line.columns for line in several)
        self.characters = max(line.characters for line in several)
        self.is_even = len({line.characters for line in lines[:-1]}) == 1 and (
            len(lines) > 3 or not any(" " in line.text for line in lines)
        )
        self.marks = Counter(mark for line in lines if (mark := _kind_of_mark(line)))
        self.is_list_of_words = len(lines) > 2 and not any(
            len(line.text.split()) > 2 or _ends_with_mark(line) for line in lines
        )
        self.is_labelled = sum(map(_has_label, lines)) > 1
        self.is_verse = self._is_verse(lines)
        self.first = lines[0]
        self.is_prose = self._is_prose(lines)

    def continues(self, before: _Line, after: _Line) -> bool:
        """Return True if the second line continues the first one."""
        if not (_has_words(before) and _has_words(after)) or _MARKUP.match(after.text) or _MARKUP.match(before.text):
            return False
        if self._is_item(before, after) or (self.is_labelled and _has_label(after)):
            return False
        if before.text.endswith("\u00ad"):
            return True
        if self.is_list_of_words:
            return False
        if after.first.islower():
            return True
        if self.is_verse or not self._is_full(before, after):
            return False
        if before.text.isupper() and not after.text.isupper() and not before.ends_sentence:
            return False  # a heading
        if before.ends_sentence or (self.is_prose and before is not self.first):  # the first may be a heading
            return True
        return not self._begins(before, after)

    def between(self, before: _Line, after: _Line) -> str:
        """Return the replacement of a line break: a space where words are separated by spaces."""
        last, first = before.text[-1], after.text[0]
        if last == "\u00ad" or last == "\u0f0b":  # soft hyphen; the Tibetan mark between syllables
            return ""
        if last in "-‐" and before.text[-2:-1].isalnum() and first.isalnum():
            word = _FIRST_WORD.match(after.text)
            is_whole = word and after.text[word.end() :][:1] not in ("-", "‐")  # unlike "to" in "end-to-end"
            return " " if is_whole and word[0].lower() in _HANGING.split() else ""
        if _UNSPACED.match(last) and _UNSPACED.match(first):
            return ""
        if _SOUTH_EAST_ASIAN.match(last) and _SOUTH_EAST_ASIAN.match(first):
            return "" if self.is_even and len(before.text) == self.characters else " "
        return " "

    def _is_item(self, before: _Line, after: _Line) -> bool:
        """Return True if the second line begins with the mark of a list or speaker, not with a dash in a sentence."""
        kind = _kind_of_mark(after)
        if not kind:
            return False
        if not self._is_full(before, after):
            return True
        if kind == _NUMBER:  # "z. / B.", "in / 12. Then", which the sentence splitter handles
            return before.text[-1] in ":;" or _counts_on(before.text, after.text)
        return self.marks[kind] > 1

    def _is_full(self, before: _Line, after: _Line) -> bool:
        """Return True if the next word would not have fitted into the line."""
        if not _NARROWEST <= self.columns <= _WIDEST:
            return False
        word = after.text.split(None, 1)[0]
        if _UNSPACED.match(before.text[-1]) and _UNSPACED.match(after.text[0]):
            return before.columns + 2 * _UNSPACED_SLACK > self.columns
        if _SOUTH_EAST_ASIAN.match(before.text[-1]) and _SOUTH_EAST_ASIAN.match(after.text[0]):
            return 2 * before.columns > self.columns
        width = columns(word)
        return before.characters + 1 + len(word) > self.characters or before.columns + 1 + width > self.columns

    def _begins(self, before: _Line, after: _Line) -> bool:
        """Return True if a line begins with a capital word that is not a name, so that it is not a continuation."""
        word = _FIRST_WORD.search(after.text)
        if word is None or after.text[: word.start()].strip(OPENERS + " ") or after.text[word.end() :][:1] in "-‐":
            return False
        return before.text[-1] not in OPENERS and begins_sentence(word[0], self.language)

    def _is_verse(self, lines: list[_Line]) -> bool:
        """Return True if most lines that continue a sentence begin with a capital that its grammar does not require."""
        breaks = [pair for pair in zip(lines, lines[1:], strict=False) if not pair[0].ends_sentence]
        if not breaks:
            return False
        if any(after.first.islower() for _, after in breaks):
            return False
        capital = [pair for pair in breaks if pair[1].first.isupper()]
        loose = sum(1 for before, after in capital if not self._is_full(before, after))
        marked = sum(1 for before, _ in breaks if _ends_with_mark(before))
        if len(capital) == len(breaks) and any(self._begins(*pair) for pair in breaks):
            return loose > 0 or 2 * marked > len(breaks)  # wrapped lines are full, and break at any word
        return len(capital) > 2 and 2 * loose > len(capital)

    def _is_prose(self, lines: list[_Line]) -> bool:
        """Return True if a sentence continues with a small letter, and all lines after the first one are full."""
        pairs = list(zip(lines, lines[1:], strict=False))
        goes_on = any(after.first.islower() and not before.ends_sentence for before, after in pairs)
        return goes_on and all(self._is_full(before, after) for before, after in pairs[1:])


def _kind_of_mark(line: _Line) -> str:
    """Return the mark of a list or of direct speech at the beginning of a line; "1" for all numbers, "" for none."""
    if _NUMBERED.match(line.text):
        return _NUMBER
    mark = _DASH.match(line.text)
    return mark[0] if mark else ""


def _counts_on(before: str, after: str) -> bool:
    """Return True if both lines begin with numbers or letters, and the second follows the first."""
    first, second = _NUMBERED.match(before), _NUMBERED.match(after)
    if not (first and second):
        return False
    return any(value + 1 == following for value, following in zip(_values(first[0]), _values(second[0]), strict=True))


def _values(number: str) -> tuple[float, float, float]:
    """Return the possible values of a list number: by its last digits, as a Roman number, as a letter; else NaN."""
    bare = number.strip("()[].").lower()
    digits = re.search(r"[0-9]+$", bare)
    roman = 0
    for letter, following in zip(bare, [*bare[1:], ""], strict=True):
        value = _ROMAN_VALUES.get(letter, nan)
        roman += -value if _ROMAN_VALUES.get(following, 0) > value else value
    return int(digits[0]) if digits else nan, roman, ord(bare) if len(bare) == 1 else nan


def _ends_with_mark(line: _Line) -> bool:
    last = line.text.rstrip(CLOSERS)[-1:]
    return last in ENDS or last in ",;:，、；："


def _has_words(line: _Line) -> bool:
    return any(map(str.isalnum, line.text))


def _has_label(line: _Line) -> bool:
    return not line.first.islower() and _LABEL.match(line.text) is not None
