"""Split a long text into sentences, and long sentences into chunks that are short enough for a model."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import accumulate

from hf_vits.text.abbreviations import Conventions, conventions
from hf_vits.text.offsets import clusters
from hf_vits.text.paragraphs import CLOSERS, OPENERS, paragraphs
from hf_vits.text.phoneme_blocks import BLOCK

_WIDE_ENDS = "。！？｡।॥؟۔։።।༎៕"  # full stops after which no space is needed
# Possessive, and without matches that begin within repeated marks, so that these are scanned only once.
_END = re.compile(rf"[{_WIDE_ENDS}][{_WIDE_ENDS}{CLOSERS}]*+|(?<![.!?…])[.!?…]++(?:[{CLOSERS}]*+)(?=\s|$)")
_CLAUSE = re.compile(rf"[,;:—–][{CLOSERS}]*(?=\s)|[、，；：،؛]")
# Vowels that are written before the consonant that precedes them in speech.
_PREPOSED = re.compile(r"[\u0e40-\u0e44\u0ec0-\u0ec4\u19b5-\u19b7\u19ba\uaab5\uaab6\uaab9\uaabb\uaabc]")
_VIRAMA = 9  # Unicode's combining class of marks that bind the next letter to the one before
_ASAT = "\u103a"  # the Burmese mark of that class that ends the syllable instead
_LOOK_AHEAD = 8  # characters after a chunk: a mark among them may belong to a letter of the chunk


def split(text: str, max_characters: int = 400, language: str | None = None) -> list[str]:
    """
    Split a text into sentences, and sentences that are too long at clauses, spaces, or between letters.

    Lines that were wrapped at a width are joined. Lists, verses, headings and direct speech keep their lines.

    Args:
        text (`str`):
            Any text, of any length.
        max_characters (`int`, *optional*, defaults to 400):
            Maximum length of a chunk.
        language (`str`, *optional*):
            Language of the text as an ISO code or espeak voice. Determines the abbreviations, and whether a full stop
            after a number makes an ordinal ("am 3. Mai"). If not given, the abbreviations of all languages are used.

    Returns:
        `list[str]`: The chunks in order, without white space around them. Together they contain every character of the
        text that is not white space. No chunk ends within a grapheme cluster, unless that alone is longer than the
        limit. Chunks without a letter or digit are joined to the next or previous one where they fit.

    Raises:
        ValueError: if `max_characters` is less than 1.

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
    sentences = (sentence for paragraph in paragraphs(text, language) for sentence in _sentences(paragraph, known))
    chunks = [chunk for sentence in sentences for chunk in _chunks(sentence, max_characters)]
    return _merge_marks(chunks, max_characters)


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
    """Return False after an abbreviation, an initial or an ordinal, and before a small letter."""
    if end[0][0] in _WIDE_ENDS:
        return True
    following = _first_letter(line, end.end())
    is_small = line[following : following + 1].islower()
    if is_small and (end[0][0] in ".…" or len(end[0].rstrip(CLOSERS)) < len(end[0])):
        return False
    return end[0] != "." or known.ends_sentence(line, start, end.start(), following)


def _first_letter(line: str, position: int) -> int:
    """Return the place of the first character that is neither white space nor an opening mark."""
    while position < len(line) and (line[position].isspace() or line[position] in OPENERS):
        position += 1
    return position


def _chunks(sentence: str, most: int) -> Iterable[str]:
    """Yield chunks of at most `most` characters."""
    start = 0
    while len(sentence) - start > most:
        window = sentence[start : start + most + _LOOK_AHEAD]
        cut = _cut(window, most)
        yield window[:cut].rstrip()
        start += cut
        while start < len(sentence) and sentence[start].isspace():
            start += 1
    if start < len(sentence):
        yield sentence[start:]


def _cut(window: str, most: int) -> int:
    """Return where to cut a sentence: after the last clause mark that fits, else at a space, else at the limit."""
    clauses = [match.end() for match in _CLAUSE.finditer(window) if match.end() <= most]
    if clauses and clauses[-1] > most // 4:
        return clauses[-1]
    space = max((i for i in range(1, most + 1) if window[i].isspace()), default=0)
    if space:
        return space
    return _between_letters(window, most)


def _between_letters(window: str, most: int) -> int:
    """Return the last place up to `most` that is not within a letter; `most` if there is none."""
    letters = [window[start:end] for start, end in clusters(window)]
    for units in (_joined_clusters(letters), letters):
        places = [place for place in accumulate(map(len, units)) if place <= most]
        if places:
            return places[-1]
    return most


def _joined_clusters(letters: list[str]) -> Iterator[str]:
    """Join extended grapheme clusters where a script writes one unit as several of them."""
    unit = ""
    for cluster in letters:
        if unit and not (_PREPOSED.match(unit[-1]) or _is_bound(unit, cluster)):
            yield unit
            unit = ""
        unit += cluster
    if unit:
        yield unit


def _is_bound(before: str, after: str) -> bool:
    """Return True if a mark such as the Khmer coeng binds two letters, also with joiners between them."""
    if _ASAT in after:
        return True
    mark = before.rstrip("\u200c\u200d")[-1:]
    return mark not in ("", _ASAT) and unicodedata.combining(mark) == _VIRAMA and after[0].isalpha()


def _merge_marks(chunks: list[str], most: int) -> list[str]:
    """Append a lone "..." or dash to the chunk before it; at the very beginning, prepend it to the next one."""
    out: list[list[str]] = []
    length, has_words = 0, False  # of the last one
    for chunk in chunks:
        adds_words = any(map(str.isalnum, chunk))
        if out and not (adds_words and has_words) and length + 1 + len(chunk) <= most:
            out[-1].append(chunk)
            length, has_words = length + 1 + len(chunk), has_words or adds_words
        else:
            out.append([chunk])
            length, has_words = len(chunk), adds_words
    return [" ".join(parts) for parts in out]
