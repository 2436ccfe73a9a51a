"""Speak a short text after other words, which are cut away: a voice trained on sentences needs a context."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hf_vits.timestamps.tokens import BLANK, END, SentenceTokens
from hf_vits.timestamps.units import is_read, words

MAX_WORDS = 3
"""Words up to which a text is short."""

LEADS = {
    "en": "And then it says, ",
    "de": "Und dann steht dort, ",
    "es": "Y después dice, ",
    "fr": "Et ensuite il dit, ",
    "it": "E poi dice, ",
    "nl": "En dan staat er, ",
    "pt": "E depois diz, ",
    "ru": "А потом он говорит, ",
}
"""The words before a text, by language (ISO 639-1)."""

REPETITIONS = 2
"""Times that a text of another language is spoken before the one that is kept."""

LEAD_SECONDS = 0.15
"""Most of the pause before the text that is kept with it."""

_MARKS = " \t\n.,!?;:…\"'“”„‘’«»"


def in_context(text: str, language: str | None = None) -> tuple[str, int] | None:
    """
    Return a short text after words of its language, "Yes!" as "And then it says, Yes!", or else after its own
    repetitions, "Yes, Yes, Yes!"; and the place where it begins in that.

    Args:
        text (`str`):
            A sentence.
        language (`str`, *optional*):
            ISO 639-1 code.

    Returns:
        `tuple[str, int]`, or None for a text of more than three words, or of none.
    """
    count = sum(any(map(is_read, text[start:end])) for start, end in words(text))
    core = text.strip(_MARKS)
    if not core or not 0 < count <= MAX_WORDS:
        return None
    before = LEADS.get(language or "") or f"{core}, " * REPETITIONS
    return before + text, len(before)


@dataclass(frozen=True)
class Kept:
    """
    The part that is kept of a text with its context.

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
class InContext:
    """
    A text and the words before it, which are cut away.

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


def kept(sentence: Mapping[str, Any], durations: Sequence[int]) -> dict[str, Any]:
    """
    Return what is kept of a sentence that may have a context: all without one.

    Args:
        sentence (`Mapping`):
            What the pipeline passes on: `"context"` ([`InContext`] or None) and `"tokens"`, if those are needed.
        durations (`list[int]`):
            Frames of all tokens.

    Returns:
        `dict`: `"cut"`, the frames before it, and its `"tokens"` and `"durations"`.
    """
    if sentence.get("context") is None:
        return {"cut": 0, "tokens": sentence.get("tokens"), "durations": durations}
    found = sentence["context"].kept(durations)
    return {"cut": found.cut, "tokens": [found.tokens], "durations": found.durations}


def without_first(chunks: Iterable[Tensor], samples: int) -> Iterator[Tensor]:
    """Yield chunks (1, n) without the first samples."""
    for chunk in chunks:
        if chunk.shape[1] > samples:
            yield chunk[:, samples:]
        samples = max(0, samples - chunk.shape[1])
