"""Long text to pieces short enough for a voice, cut where a reader would pause."""

import re
import unicodedata
from collections.abc import Iterable

_WIDE_ENDS = "。！？｡।॥؟۔։።།။៕"  # full stops after which no space is needed
_CLOSERS = "\"'”’»›)\\]}」』】）》〉"
_OPENERS = "\"'“‘«‹([{「『【（《〈¿¡—–-"
_BLOCK = re.compile(r"\[\[[^\[\]]*\]\]")
_LINE = re.compile(r"[^\r\n\u2028\u2029]+")
# Possessive, and never begun inside of a run of marks: a run that ends no sentence is looked at once.
_END = re.compile(rf"[{_WIDE_ENDS}][{_WIDE_ENDS}{_CLOSERS}]*+|(?<![.!?…])[.!?…]++(?:[{_CLOSERS}]*+)(?=\s|$)")
_CLAUSE = re.compile(rf"[,;:—–][{_CLOSERS}]*(?=\s)|[、，；：،؛]")
_LAST_WORD = re.compile(r"[^\W\d_][\w.’']*$")
# fmt: off
_ABBREVIATIONS = frozenset([
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "rev", "gen", "col", "maj", "capt", "lt", "sgt", "hon", "esq",
    "co", "ltd", "inc", "corp", "vs", "etc", "eg", "ie", "cf", "al", "approx", "dept", "est", "ed", "jan", "feb",
    "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "mt", "ft", "ave", "blvd", "rd", "bzw",
    "ca", "evtl", "ggf", "hr", "fr", "str", "tel", "usw", "vgl", "zb", "mme", "mlle", "sra", "srta", "dra", "av",
    "pág", "núm", "sig", "prof", "dott", "tzv", "např", "tj", "им", "г", "ул", "см", "др", "проф",
])
# fmt: on
_ENDING_ABBREVIATIONS = frozenset(["etc", "inc", "ltd", "co", "corp", "jr", "sr", "al", "usw", "др", "am", "pm"])
_BEFORE_NUMBERS = frozenset(["no", "nos", "nr", "fig", "vol", "pp"])


def split(text: str, max_characters: int = 400) -> list[str]:
    """
    Divides a text into sentences, and sentences that are too long at clauses, spaces, or anywhere.

    Args:
        text (`str`):
            Any text, of any length.
        max_characters (`int`, *optional*, defaults to 400):
            Most characters of a piece.

    Returns:
        `list[str]`: The pieces in order, without white space around them. Together they hold every character of the
        text that is not white space. Pieces without a letter or digit are joined to a neighbour where they fit.

    Example:

    ```python
    >>> from hf_vits.text.sentences import split

    >>> split("Dr. Smith paid 3.50. Why? Nobody knows...")
    ['Dr. Smith paid 3.50.', 'Why?', 'Nobody knows...']
    ```
    """
    if max_characters < 1:
        raise ValueError(f"`max_characters` is {max_characters}; it must be at least 1.")
    pieces = [
        piece for line in _lines(text) for sentence in _sentences(line) for piece in _short(sentence, max_characters)
    ]
    return _with_company(pieces, max_characters)


def _lines(text: str) -> Iterable[str]:
    for line in _LINE.finditer(text):
        if stripped := line[0].strip():
            yield stripped


def _sentences(line: str) -> Iterable[str]:
    blocks = _BLOCK.finditer(line)
    block, start = next(blocks, None), 0
    for end in _END.finditer(line):
        while block and block.end() <= end.start():
            block = next(blocks, None)
        if block and block.start() < end.start():
            continue
        if _ends_sentence(line, start, end):
            yield line[start : end.end()].strip()
            start = end.end()
    if rest := line[start:].strip():
        yield rest


def _ends_sentence(line: str, start: int, end: re.Match) -> bool:
    """Whether a full stop is one: not after an abbreviation or an initial, nor before a small letter."""
    if end[0][0] in _WIDE_ENDS:
        return True
    following = _first_letter(line, end.end())
    if following.islower() and (end[0][0] in ".…" or len(end[0].rstrip(_CLOSERS)) < len(end[0])):
        return False
    if end[0] != ".":
        return True
    word = _LAST_WORD.search(line, max(start, end.start() - 24), end.start())
    if word is None:
        return True
    name = word[0].lower().replace(".", "")
    if name in _BEFORE_NUMBERS:
        return not following.isdigit()
    if name in _ENDING_ABBREVIATIONS and following.isupper():
        return True
    if len(name) == 1 or "." in word[0]:  # an initial, "e.g", "U.S"
        return not following
    return name not in _ABBREVIATIONS


def _first_letter(line: str, position: int) -> str:
    while position < len(line) and (line[position].isspace() or line[position] in _OPENERS):
        position += 1
    return line[position : position + 1]


def _short(sentence: str, most: int) -> Iterable[str]:
    """The sentence in pieces of at most `most` characters."""
    start = 0
    while len(sentence) - start > most:
        window = sentence[start : start + most + 1]
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
    cut = most
    while cut > 1 and unicodedata.combining(window[cut]):  # keep a letter and its accents together
        cut -= 1
    return cut if not unicodedata.combining(window[cut]) else most


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
