"""Speak a short text after its own repetition, which is cut away: a voice trained on sentences needs a context."""

from collections.abc import Sequence
from dataclasses import dataclass

from hf_vits.timestamps.tokens import BLANK, END, SentenceTokens
from hf_vits.timestamps.units import is_read, words

MAX_WORDS = 3
"""Words up to which a text is short."""

REPETITIONS = 2
"""Times that a text is spoken before the one that is kept."""

LEAD_SECONDS = 0.15
"""Most of the pause before the text that is kept with it."""

_MARKS = " \t\n.,!?;:…\"'“”„‘’«»"


def repeated(text: str) -> tuple[str, int] | None:
    """
    Return a short text after its repetitions, "Yes!" as "Yes, Yes, Yes!", and the place where it begins in that.

    Args:
        text (`str`):
            A sentence.

    Returns:
        `tuple[str, int]`, or None for a text of more than three words, or of none.
    """
    count = sum(any(map(is_read, text[start:end])) for start, end in words(text))
    core = text.strip(_MARKS)
    if not core or not 0 < count <= MAX_WORDS:
        return None
    before = f"{core}, " * REPETITIONS
    return before + text, len(before)


@dataclass(frozen=True)
class Kept:
    """
    What is kept of a text with its repetitions.

    Args:
        cut (`int`):
            Frames before it.
        tokens ([`SentenceTokens`]), durations (`list[int]`):
            Its own tokens, after one for the pause before it, and the frames of each.
    """

    cut: int
    tokens: SentenceTokens
    durations: list[int]


@dataclass(frozen=True)
class Repeated:
    """
    A text with its repetitions.

    Args:
        text (`str`):
            The text alone.
        start (`int`):
            Its place in what is spoken.
        tokens ([`SentenceTokens`]):
            All tokens.
        lead (`int`):
            Most frames of the pause that are kept before it.
    """

    text: str
    start: int
    tokens: SentenceTokens
    lead: int

    def kept(self, durations: Sequence[int]) -> Kept:
        """Return what is kept, for these frames of all tokens."""
        symbols, spans = self.tokens.symbols, self.tokens.spans
        sounds = [i for i, symbol in enumerate(symbols) if symbol not in (BLANK, END)]
        first = next((i for i in sounds if spans[i][0] >= self.start), len(symbols))
        before = max((i for i in sounds if i < first and is_read(symbols[i])), default=-1)
        end_of_word = before + 1 + (symbols[before + 1 : before + 2] == [BLANK])
        begin, word_end = sum(durations[:first]), sum(durations[: min(end_of_word, first)])
        cut = max(word_end, begin - self.lead)
        own = [(max(0, a - self.start), max(0, b - self.start)) for a, b in spans[first:]]
        tokens = SentenceTokens(self.text, [END, *symbols[first:]], [(0, 0), *own])
        return Kept(cut, tokens, [begin - cut, *durations[first:]])
