"""Sentences to speak, with a style for each character, pauses and marks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hf_vits.text.offsets import Span, TextWithOffsets

Split = Callable[[str], list[str]]
"""Divides a text into sentences."""


@dataclass(frozen=True)
class Pitch:
    """
    A change of the fundamental frequency (F0).

    Args:
        semitones (`float`, *optional*, defaults to 0.0):
            Shift of F0.
        spread (`float`, *optional*, defaults to 1.0):
            Factor of the distance of F0 from its median, in semitones; 0 is monotone.
        median (`float`, *optional*):
            Hertz that the median of F0 gets, before the shift.
        hertz (`float`, *optional*, defaults to 0.0):
            Hertz added to the median of F0, before the shift.
        range_hertz (`float`, *optional*):
            Hertz between the highest and the lowest F0, in place of `spread`.
    """

    semitones: float = 0.0
    spread: float = 1.0
    median: float | None = None
    hertz: float = 0.0
    range_hertz: float | None = None


@dataclass(eq=False)
class Time:
    """A span of the text in time, without pauses in it: `begin` to `end` in seconds. Each is one of its own."""

    begin: float
    end: float


@dataclass(frozen=True)
class Style:
    """Factor of the rate, decibels of volume (minus infinity is silent), a [`Pitch`], and the [`Time`] of its span."""

    rate: float = 1.0
    volume: float = 0.0
    pitch: Pitch = Pitch()
    time: Time | None = None


@dataclass(frozen=True)
class Pause:
    """Seconds of silence."""

    seconds: float


@dataclass(frozen=True)
class Mark:
    """A name whose time is returned."""

    name: str


Event = Pause | Mark
Events = list[tuple[int, Event]]
"""Pauses and marks in order, each with the place in the text that it is before."""


@dataclass
class Sentence:
    """
    A sentence to synthesize.

    Args:
        text (`str`):
            What the tokenizer reads.
        content (`str`):
            What was written.
        spans (`list[Span]`):
            For each character of the text, its span in the content.
        styles (`list[Style]`):
            For each character of the text, its style.
        events (`Events`):
            Its pauses and marks.
        arguments (`dict`):
            Its own speaker and language, by argument of a call.
    """

    text: str
    content: str
    spans: list[Span]
    styles: list[Style]
    events: Events = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def plain(cls, text: str) -> "Sentence":
        """Return a sentence that is read as written, in the usual style."""
        return cls(text, text, [(i, i + 1) for i in range(len(text))], [Style()] * len(text))

    def with_commas(self) -> "Sentence":
        """Return the sentence with a comma before each pause that is between two words, so that they are not joined."""
        text, spans, styles, events = [], [], [], []
        left = list(self.events)

        def move(place: int) -> None:
            while left and left[0][0] <= place:
                events.append((len(text), left.pop(0)[1]))

        places = {place for place, event in self.events if isinstance(event, Pause) and event.seconds > 0}
        commas = {len(self.text[:place].rstrip()): place for place in places if self._is_between_words(place)}
        for i, character in enumerate(self.text):
            if i in commas:
                added = ", " if not character.isspace() else ","
                text += added
                spans += [(spans[-1][1],) * 2] * len(added)
                styles += [styles[-1]] * len(added)
            move(i)
            text.append(character)
            spans.append(self.spans[i])
            styles.append(self.styles[i])
        move(len(self.text))
        return replace(self, text="".join(text), spans=spans, styles=styles, events=events)

    def _is_between_words(self, place: int) -> bool:
        before, after = self.text[:place].rstrip(), self.text[place:].lstrip()
        return bool(before and after) and before[-1].isalnum() and after[0].isalnum()


@dataclass
class Block:
    """A part of a document that no sentence exceeds: text (TextWithOffsets), and the other fields of `Sentence`."""

    text: TextWithOffsets
    styles: list[Style]
    events: Events = field(default_factory=list)
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass
class Script:
    """
    A document to speak.

    Args:
        content (`str`):
            Its text, as written; white space is collapsed.
        blocks (`list[Block]`):
            Its parts.
        ignored (`list[str]`):
            What has no effect, each with its line.
    """

    content: str
    blocks: list[Block]
    ignored: list[str] = field(default_factory=list)

    def sentences(self, split: Split) -> list[Sentence]:
        """Return all sentences; events between two of them belong to the second one."""
        found: list[Sentence] = []
        waiting: list[Event] = []  # events that no sentence has come after yet
        for block in self.blocks:
            events = list(block.events)
            for start, end in _sentence_spans(block.text, split):
                inside = [(max(place - start, 0), event) for place, event in events if place < end]
                events = [(place, event) for place, event in events if place >= end]
                sentence = self._sentence(block, start, end)
                sentence.events = [*((0, event) for event in waiting), *inside]
                found.append(sentence)
                waiting = []
            waiting += [event for _, event in events]
        if found:
            found[-1].events += [(len(found[-1].text), event) for event in waiting]
        _divide_times(found)
        return found

    def _sentence(self, block: Block, start: int, end: int) -> Sentence:
        spans = block.text.spans[start:end]
        first, last = spans[0][0], max(b for _, b in spans)
        moved = [(a - first, b - first) for a, b in spans]
        styles, arguments = block.styles[start:end], dict(block.arguments)
        return Sentence(block.text.text[start:end], self.content[first:last], moved, styles, [], arguments)


def _divide_times(sentences: Sequence[Sentence]) -> None:
    """Give each sentence a part of the time of a span that several share, in proportion to its letters and digits."""
    letters: dict[Time, dict[int, int]] = {}  # by sentence
    for number, sentence in enumerate(sentences):
        for style, character in zip(sentence.styles, sentence.text, strict=True):
            if style.time is not None:
                counts = letters.setdefault(style.time, {})
                counts[number] = counts.get(number, 0) + character.isalnum()
    parts: dict[tuple[int, Time | None], Time | None] = {}
    for time, counts in letters.items():
        total, done, begin = sum(counts.values()), 0, time.begin
        for number, count in counts.items():
            if count:  # else nothing is read that could last
                done += count
                end = time.begin + (time.end - time.begin) * done / total
                parts[number, time], begin = Time(begin, end), end
    for number, sentence in enumerate(sentences):
        own = ((style, parts.get((number, style.time))) for style in sentence.styles)
        sentence.styles = [style if time is style.time else replace(style, time=time) for style, time in own]


def _sentence_spans(text: TextWithOffsets, split: Split) -> Iterator[Span]:
    """Return the spans of the sentences of a text without line breaks; none ends within a replaced part of it."""
    if not text.text.strip():
        return
    masked = _without_marks_in_replacements(text)
    start = 0
    for sentence in split(masked):
        while masked[start].isspace():
            start += 1
        end, left = start, sum(not character.isspace() for character in sentence)
        while left:
            left -= not masked[end].isspace()
            end += 1
        yield start, end
        start = end


def _without_marks_in_replacements(text: TextWithOffsets) -> str:
    """Return the text with a letter for each mark that is not in the content, such as a full stop of an alias."""
    pairs = zip(text.text, text.spans, strict=True)
    return "".join(
        "x" if not (character.isalnum() or character.isspace()) and span[1] - span[0] != 1 else character
        for character, span in pairs
    )
