"""Text to speak at length, made of the plain sentences in `speech`."""

import random
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

from meters.speech import SENTENCES

LARGEST_SENTENCE = 6
"""Clauses of the longest sentence of a paragraph; some 300 characters, fewer than a pipeline speaks at once."""


def one_sentence(clauses: int) -> str:
    """A sentence of so many clauses, each of two to three seconds, with no full stop before its end."""
    return _joined(list(islice(cycle(SENTENCES), clauses)))


def paragraphs(number: int, seed: int = 0) -> str:
    """So many paragraphs of about a minute, each with a sentence of one clause, of two, and so on to the longest."""
    return "\n".join(islice(_paragraphs(random.Random(seed)), number))


def _paragraphs(source: random.Random) -> Iterator[str]:
    while True:
        sizes = list(range(1, LARGEST_SENTENCE + 1))
        source.shuffle(sizes)
        yield " ".join(_joined(source.sample(SENTENCES, size)) for size in sizes)


def _joined(sentences: Sequence[str]) -> str:
    clauses = [text[:-1] if text.startswith("I ") else text[0].lower() + text[1:-1] for text in sentences]
    whole = ", and ".join(clauses)
    return whole[0].upper() + whole[1:] + "."
