"""Words and characters of a sentence, as written."""

import functools
import unicodedata

from hf_vits.text.offsets import Span, clusters
from hf_vits.text.writing_systems import WITHOUT_SPACES

READ_MARKS = "&@%#"
"""Punctuation that is read by its name, as a word of its own."""


def is_read(character: str) -> bool:
    """Return True for letters with their marks, digits and symbols, which are read; False for other punctuation."""
    return unicodedata.category(character)[0] in "LMNS" or character in READ_MARKS


def words(sentence: str) -> list[Span]:
    """
    Return the spans of the words of a sentence, with the punctuation that touches them.

    Words are separated by white space, and after a long dash or dots between two letters. In scripts without spaces
    (Chinese, Japanese, Thai, Lao, Khmer, Burmese) every character is one. Phonemes in `[[ ]]` belong to one word.
    Punctuation on its own counts too; `is_read` tells it apart.
    """
    return [match.span() for match in _word().finditer(sentence)]


def characters(sentence: str) -> list[Span]:
    """Return the spans of the characters of a sentence, each a letter with its marks, without white space."""
    return [(start, end) for start, end in clusters(sentence) if not sentence[start:end].isspace()]


@functools.cache
def _word():
    import regex

    scripts = "".join(rf"\p{{Script={script}}}" for script in WITHOUT_SPACES)
    vowel_before = r"(?:[\u0e40-\u0e44\u0ec0-\u0ec4](?=[\p{Script=Thai}\p{Script=Lao}]))?"
    single = rf"{vowel_before}(?=[{scripts}ー])\X"  # the mark of long vowels has no script
    opening = r"[\p{Ps}\p{Pi}]*+"
    closing = r"[\p{Pe}\p{Pf}\p{Po}\p{Pd}]*+"
    one = rf"{opening}{single}{closing}"
    end = rf"(?<=[—―…]|--|\.\.\.)(?=[^\W_])|(?=\s|$|{opening}{single})"
    return regex.compile(rf"{one}|(?:\[\[[^\[\]]*+\]\]|\S)+?(?:{end})")
