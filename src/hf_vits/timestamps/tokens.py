"""Times of the words, characters, phonemes and sentences of a text, from the frames of its tokens.

A frame belongs to one token, so times are exact to the frame of the model, and sums to the sample. A blank belongs to
the sound before it: in trained voices it holds the end of that sound, and a word begins with its first sound.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby

from hf_vits.text.offsets import Span
from hf_vits.timestamps import units

BLANK, END = "", None
"""Symbols of the blank, and of BOS and EOS."""

Timed = tuple[str, int, int]
"""A part of the text, its first sample, and the sample after its last one."""

_STRESS = "ˈˌ"
_TIE = "\u0361"


@dataclass(frozen=True)
class SentenceTokens:
    """
    The tokens of a sentence and their places in it.

    Args:
        text (`str`):
            The sentence.
        symbols (`list`):
            The character of each token; `BLANK` for blanks, `END` for BOS and EOS. Empty for a sentence that is not
            spoken.
        spans (`list[Span]`):
            The span of each token in the sentence; starts and ends never decrease.
    """

    text: str
    symbols: list[str | None] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True)
class _Sound:
    """A token, with the blank after it."""

    symbol: str
    span: Span
    start: int
    end: int

    @property
    def is_read(self) -> bool:
        return units.is_read(self.symbol)


def time_units(unit: str, sentence: SentenceTokens, durations: Sequence[int], hop_length: int) -> list[Timed]:
    """
    Return the words, characters or phonemes of a sentence, or the sentence itself, with first and last sample.

    All are in order and do not overlap. Marks and spaces between words are pauses, which belong to no word and no
    phoneme. Words whose phonemes cannot be told apart share their time by their letters, and so do the characters of a
    word. What has no phonemes has an empty time, where the word before it ends.

    Args:
        unit (`str`):
            `"word"`, `"character"`, `"phoneme"` or `"sentence"`.
        sentence ([`SentenceTokens`]):
            The sentence.
        durations (`list[int]`):
            Frames of each token.
        hop_length (`int`):
            Samples of a frame.
    """
    ends = [hop_length * frames for frames in accumulate(durations)]
    if unit == "sentence":
        return [(sentence.text, 0, ends[-1] if ends else 0)]
    sounds = _sounds(sentence, ends)
    if unit == "phoneme":
        return _phonemes(sounds)
    if unit == "word":
        groups = _groups(sound for sound in sounds if sound.is_read)
        return _times(sentence.text, units.words(sentence.text), groups, only_read=True)
    groups = _groups(sound for sound in sounds if sound.is_read or sound.span[0] < sound.span[1])
    return _times(sentence.text, units.characters(sentence.text), groups, only_read=False)


def _sounds(sentence: SentenceTokens, ends: Sequence[int]) -> list[_Sound]:
    """Return the tokens other than blanks, BOS and EOS, each as long as itself and the blank after it."""
    sounds, symbols = [], sentence.symbols
    for i, symbol in enumerate(symbols):
        if symbol not in (BLANK, END):
            last = i + (symbols[i + 1 : i + 2] == [BLANK])
            sounds.append(_Sound(symbol, sentence.spans[i], ends[i - 1] if i else 0, ends[last]))
    return sounds


def _groups(sounds: Iterable[_Sound]) -> list[tuple[Span, int, int]]:
    """Return the spans of consecutive sounds of equal span, from the first one's start to the last one's end."""
    found = []
    for span, members in groupby(sounds, key=lambda sound: sound.span):
        first, *others = members
        found.append((span, first.start, (others or [first])[-1].end))
    return found


def _times(text: str, places: Sequence[Span], groups: Sequence[tuple[Span, int, int]], only_read: bool) -> list[Timed]:
    """Give each place of a text the time of the groups in it, and its share of those that several places have."""
    times: dict[int, tuple[int, int]] = {}
    own = set()  # places that have sounds of their own, such as a "*" that is read by its name
    ends = [end for _, end in places]
    for span, start, end in groups:
        first = bisect_right(ends, span[0])
        shared = [i for i in range(first, len(places)) if places[i][0] < max(span[1], span[0] + 1)]
        weights = [_letters(text, places[i], span) for i in shared]
        if not shared:  # white space
            continue
        if not any(weights):
            weights = [1] * len(shared)
        own.update(shared if len(shared) == 1 else ())
        bounds = [start + (end - start) * part // sum(weights) for part in accumulate(weights, initial=0)]
        for i, a, b, weight in zip(shared, bounds, bounds[1:], weights, strict=False):
            if weight:
                times[i] = (times.get(i, (a, b))[0], b)
    out, at = [], groups[0][1] if groups else 0
    for i, (start, end) in enumerate(places):
        begins, at = times.get(i, (at, at))
        if not only_read or i in own or any(map(units.is_read, text[start:end])):
            out.append((text[start:end], begins, at))
    return out


def _letters(text: str, place: Span, span: Span) -> int:
    """Count the characters of a place within a span that are read."""
    return sum(map(units.is_read, text[max(place[0], span[0]) : min(place[1], span[1])]))


def _phonemes(sounds: Iterable[_Sound]) -> list[Timed]:
    """Join stress marks to the phoneme after them, and marks of length, tone and articulation to the one before."""
    out: list[Timed] = []
    previous = None
    for sound in sounds:
        joins = previous is not None and (
            out[-1][0][-1] in _STRESS + _TIE or (sound.symbol not in _STRESS and _is_modifier(sound, previous))
        )
        if sound.is_read:
            symbols, start = (out[-1][0] + sound.symbol, out.pop()[1]) if joins else (sound.symbol, sound.start)
            out.append((symbols, start, sound.end))
        previous = sound if sound.is_read else None
    return out


def _is_modifier(sound: _Sound, before: _Sound) -> bool:
    """Return True for combining and modifier letters, and for digits of tones, which have the span of a whole word."""
    kind = unicodedata.category(sound.symbol)
    return kind in ("Mn", "Lm", "Sk") or (kind == "Nd" and sound.span == before.span and before.symbol.isalpha())
