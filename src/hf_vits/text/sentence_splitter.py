"""Long text to pieces short enough for a voice, cut where a reader would pause."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import accumulate

from hf_vits.text.abbreviations import Conventions, conventions
from hf_vits.text.offsets import clusters
from hf_vits.text.paragraphs import BLOCK, CLOSERS, OPENERS, paragraphs

_WIDE_ENDS = "。！？｡।॥؟۔։።।༎៕"  # full stops after which no space is needed
# Possessive, and never begun inside of a run of marks: a run that ends no sentence is looked at once.
_END = re.compile(rf"[{_WIDE_ENDS}][{_WIDE_ENDS}{CLOSERS}]*+|(?<![.!?…])[.!?…]++(?:[{CLOSERS}]*+)(?=\s|$)")
_CLAUSE = re.compile(rf"[,;:—–][{CLOSERS}]*(?=\s)|[、，；：،؛]")
_PREPOSED = re.compile(r"[\u0e40-\u0e44\u0ec0-\u0ec4\u19b5-\u19b7\u19ba\uaab5\uaab6\uaab9\uaabb\uaabc]")
"""Vowels that are written before the consonant that they are spoken after."""
_VIRAMA = 9
"""Unicode's combining class of marks that bind the letter after them to the one before."""
_AHEAD = 8
"""Characters beyond a piece that are looked at: a mark there may belong to a letter in it."""
_ASAT = "\u103a"
"""The Burmese mark of that class that instead ends the syllable with its letter."""


def split(text: str, max_characters: int = 400, language: str | None = None) -> list[str]:
    """
    Divides a text into sentences, and sentences that are too long at clauses, spaces, or between letters.

    Lines that were only wrapped at a width are joined. Lists, verses, headings and direct speech keep their lines.

    Args:
        text (`str`):
            Any text, of any length.
        max_characters (`int`, *optional*, defaults to 400):
            Most characters of a piece.
        language (`str`, *optional*):
            Of the text, as an ISO code or espeak voice. It says what abbreviations there are, and whether a full stop
            after a number makes an ordinal ("am 3. Mai"). If not given, those of all languages are kept together.

    Returns:
        `list[str]`: The pieces in order, without white space around them. Together they hold every character of the
        text that is not white space. No piece ends within what readers see as one letter, unless that alone is longer
        than the limit. Pieces without a letter or digit are joined to a neighbour where they fit.

    Example:

    ```python
    >>> from hf_vits.text.sentence_splitter import split

    >>> split("Dr. Smith paid 3.50. Why? Nobody knows...")
    ['Dr. Smith paid 3.50.', 'Why?', 'Nobody knows...']
    ```
    """
    if max_characters < 1:
        raise ValueError(f"`max_characters` is {max_characters}; it must be at least 1.")
    known = conventions(language)
    pieces = [
        piece
        for paragraph in paragraphs(text, language)
        for sentence in _sentences(paragraph, known)
        for piece in _short(sentence, max_characters)
    ]
    return _with_company(pieces, max_characters)


def _sentences(line: str, known: Conventions) -> Iterable[str]:
    blocks = BLOCK.finditer(line)
    block, start = next(blocks, None), 0
    for end in _END.finditer(line):
        while block and block.end() <= end.start():
            block = next(blocks, None)
        if block and block.start() < end.start():
            continue
        if _ends_sentence(line, start, end, known):
            yield line[start : end.end()].strip()
            start = end.end()
    if rest := line[start:].strip():
        yield rest


def _ends_sentence(line: str, start: int, end: re.Match, known: Conventions) -> bool:
    """Whether a full stop is one: not after an abbreviation, an initial or an ordinal, nor before a small letter."""
    if end[0][0] in _WIDE_ENDS:
        return True
    following = _first_letter(line, end.end())
    is_small = line[following : following + 1].islower()
    if is_small and (end[0][0] in ".…" or len(end[0].rstrip(CLOSERS)) < len(end[0])):
        return False
    return end[0] != "." or known.ends_sentence(line, start, end.start(), following)


def _first_letter(line: str, position: int) -> int:
    """The place of the first character that is neither white space nor an opening mark."""
    while position < len(line) and (line[position].isspace() or line[position] in OPENERS):
        position += 1
    return position


def _short(sentence: str, most: int) -> Iterable[str]:
    """The sentence in pieces of at most `most` characters."""
    start = 0
    while len(sentence) - start > most:
        window = sentence[start : start + most + _AHEAD]
        cut = _cut(window, most)
        yield window[:cut].rstrip()
        start += cut
        while start < len(sentence) and sentence[start].isspace():
            start += 1
    if start < len(sentence):
        yield sentence[start:]


def _cut(window: str, most: int) -> int:
    """Where to cut a longer sentence: after the last clause mark that fits, else at a space, else at the limit."""
    clauses = [match.end() for match in _CLAUSE.finditer(window) if match.end() <= most]
    if clauses and clauses[-1] > most // 4:
        return clauses[-1]
    space = max((i for i in range(1, most + 1) if window[i].isspace()), default=0)
    if space:
        return space
    return _between_letters(window, most)


def _between_letters(window: str, most: int) -> int:
    """The last place up to `most` that is not within a letter, as readers see it; `most` if there is none."""
    letters = [window[start:end] for start, end in clusters(window)]
    for pieces in (_bound(letters), letters):
        places = [place for place in accumulate(map(len, pieces)) if place <= most]
        if places:
            return places[-1]
    return most


def _bound(letters: list[str]) -> Iterator[str]:
    """Unicode's extended grapheme clusters, joined where a script writes what belongs together in several of them."""
    held = ""
    for cluster in letters:
        if held and not (_PREPOSED.match(held[-1]) or _is_bound(held, cluster)):
            yield held
            held = ""
        held += cluster
    if held:
        yield held


def _is_bound(before: str, after: str) -> bool:
    """Whether a mark such as the Khmer coeng binds two letters, through joiners between."""
    if _ASAT in after:
        return True
    mark = before.rstrip("\u200c\u200d")[-1:]
    return mark not in ("", _ASAT) and unicodedata.combining(mark) == _VIRAMA and after[0].isalpha()


def _with_company(pieces: list[str], most: int) -> list[str]:
    """A lone "..." or dash joins the piece before it, or the one after it at the very beginning."""
    out: list[list[str]] = []
    length, speaks = 0, False  # of the last one
    for piece in pieces:
        says = any(map(str.isalnum, piece))
        if out and not (says and speaks) and length + 1 + len(piece) <= most:
            out[-1].append(piece)
            length, speaks = length + 1 + len(piece), speaks or says
        else:
            out.append([piece])
            length, speaks = len(piece), says
    return [" ".join(joined) for joined in out]
