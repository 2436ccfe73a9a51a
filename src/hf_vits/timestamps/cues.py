"""Group the words of speech into cues of subtitles by the usual rules.

A cue has at most two lines of 42 columns and lasts 1 to 7 seconds. Breaks are put, in this order, at the ends of
sentences, at clause marks, in pauses, and only then between other words.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from hf_vits.text.paragraphs import CLOSERS, ENDS, columns

MAX_LINES, MAX_COLUMNS = 2, 42
MIN_SECONDS, MAX_SECONDS = 1.0, 7.0
MAX_CHARACTERS_PER_SECOND = 20
"""Reading speed, which a cue is shown longer for, if there is room before the next one."""

MIN_GAP = 0.3
"""Seconds between two cues below which the first one stays until the second, instead of flickering."""

_PAUSE = 0.15  # seconds between two words from which on they are a pause
# Costs of a cue, of a break in the middle of a clause, and of what a reader minds within one.
_CUE, _WITHIN_CLAUSE, _IN_PAUSE, _AT_CLAUSE = 1.0, 1.0, 0.5, 0.25
_TWO_SENTENCES, _TOO_SHORT, _SECOND_OF_SILENCE = 1.2, 1.5, 1.0
_FULL = 0.3  # grows with the square of what is filled, so that cues are about equal
_CLAUSE_ENDS = ",;:、，；：،؛—–"


@dataclass
class Word:
    """
    A word of subtitles.

    Args:
        text (`str`):
            As written, with the marks and spaces up to the next word.
        start, end (`float`):
            Seconds.
        ends_sentence (`bool`):
            True for the last word of a sentence.
    """

    text: str
    start: float
    end: float
    ends_sentence: bool = False


@dataclass
class Cue:
    """The words of each line, and when they are shown, in seconds."""

    lines: list[list[Word]]
    start: float
    end: float

    @property
    def words(self) -> list[Word]:
        """All words of the cue."""
        return [word for line in self.lines for word in line]

    @property
    def text(self) -> str:
        """The lines, separated by line breaks."""
        return "\n".join("".join(word.text for word in line).rstrip() for line in self.lines)


def cues(words: Sequence[Word], duration: float) -> list[Cue]:
    """
    Return the cues of all words, in order and without overlap.

    Args:
        words (`list[Word]`):
            The words of one text.
        duration (`float`):
            Seconds of the whole speech.
    """
    layout = _Layout(_with_time(words))
    found = [layout.cue(first, last) for first, last in layout.divided()]
    for cue, limit in zip(found, [*(cue.start for cue in found[1:]), duration], strict=False):
        cue.end = _shown_until(cue, limit)
    return found


def _with_time(words: Sequence[Word]) -> list[Word]:
    """Append words that have no time, as those that are not spoken, to the word before, or else to the next one."""
    out: list[Word] = []
    for word in words:
        if out and (word.end <= word.start or out[-1].end <= out[-1].start):
            before = out[-1]
            start = before.start if before.end > before.start else word.start
            out[-1] = Word(before.text + word.text, start, max(before.end, word.end), word.ends_sentence)
        else:
            out.append(word)
    return [word for word in out if word.end > word.start]


class _Layout:
    """Divide words, each of which has a time, into cues, and the words of a cue into lines."""

    def __init__(self, words: Sequence[Word]):
        self.words = words
        self.columns = [0, *accumulate(columns(word.text) for word in words)]
        self.spaces = [len(word.text) - len(word.text.rstrip()) for word in words]
        self.break_costs = [0.0, *(self._break_cost(i) for i in range(1, len(words))), 0.0]

    def _break_cost(self, place: int) -> float:
        """Return the cost of a break before a word."""
        before, after = self.words[place - 1], self.words[place]
        if before.ends_sentence:
            return 0.0
        end = before.text.rstrip().rstrip(CLOSERS)[-1:]
        if end and end in ENDS + _CLAUSE_ENDS:
            return _AT_CLAUSE
        return _IN_PAUSE if after.start - before.end > _PAUSE else _WITHIN_CLAUSE

    def width(self, first: int, last: int) -> int:
        """Return the columns of words first to last, the end excluded."""
        return self.columns[last] - self.columns[first] - self.spaces[last - 1]

    def fits(self, first: int, last: int) -> bool:
        """Return True if two lines have room for these words."""
        place = bisect_right(range(last), MAX_COLUMNS, lo=first + 1, key=lambda i: self.width(first, i + 1))
        return place >= last or max(self.width(first, place), self.width(place, last)) <= MAX_COLUMNS

    def divided(self) -> list[tuple[int, int]]:
        """Return first and last word, ends excluded, of the cues that cost least together, by dynamic programming."""
        best, previous = [0.0], [0]
        for last in range(1, len(self.words) + 1):
            cost, first = min((best[first] + cost, -first) for first, cost in self._candidates(last))
            best.append(cost)
            previous.append(-first)
        bounds = [len(self.words)]
        while bounds[-1] > 0:
            bounds.append(previous[bounds[-1]])
        return list(zip(bounds[:0:-1], bounds[-2::-1], strict=True))

    def _candidates(self, last: int) -> Iterator[tuple[int, float]]:
        """Yield each possible first word of a cue that ends before `last`, and the cost of that cue."""
        silence = sentences = 0.0
        for first in range(last - 1, -1, -1):
            seconds = self.words[last - 1].end - self.words[first].start
            if first < last - 1:
                silence += max(0.0, self.words[first + 1].start - self.words[first].end - _PAUSE)
                sentences += self.words[first].ends_sentence
                if seconds > MAX_SECONDS or not self.fits(first, last):
                    return
            cost = _CUE + self.break_costs[last] + _TWO_SENTENCES * sentences + _SECOND_OF_SILENCE * silence
            cost += _TOO_SHORT * max(0.0, MIN_SECONDS - seconds)
            yield first, cost + _FULL * (self.width(first, last) / (MAX_LINES * MAX_COLUMNS)) ** 2

    def cue(self, first: int, last: int) -> Cue:
        """Return a cue of one line or two; a word that is wider than a line has one of its own."""
        lines, words = [(first, last)], self.words
        places = [i for i in range(first + 1, last) if max(self.width(first, i), self.width(i, last)) <= MAX_COLUMNS]
        if self.width(first, last) > MAX_COLUMNS and places:
            place = min(places, key=lambda i: self._line_cost(first, i, last))
            lines = [(first, place), (place, last)]
        return Cue([list(words[a:b]) for a, b in lines], words[first].start, words[last - 1].end)

    def _line_cost(self, first: int, place: int, last: int) -> float:
        """Return the cost of a line break: unequal lines, and a broken clause."""
        return abs(self.width(first, place) - self.width(place, last)) + MAX_COLUMNS * self.break_costs[place]


def _shown_until(cue: Cue, limit: float) -> float:
    """Return the end of a cue: time to read it, and no flicker before the next one, which begins at the limit."""
    wanted = max(cue.end, cue.start + max(MIN_SECONDS, len(cue.text) / MAX_CHARACTERS_PER_SECOND))
    if limit - wanted < MIN_GAP:  # or none
        wanted = limit
    return min(wanted, max(cue.end, cue.start + MAX_SECONDS))
