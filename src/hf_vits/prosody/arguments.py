"""The prosody of a call's arguments: one value for a text, or one for each of its words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hf_vits.prosody.script import Event, Pause, Sentence, Style
from hf_vits.text.offsets import Span
from hf_vits.timestamps import units
from hf_vits.utils.formatting import quoted

RANGES = {
    "word_rates": (0.1, 10.0),
    "pauses": (0.0, 60.0),
    "volume": (-100.0, 24.0),
    "pitch": (-24.0, 24.0),
    "pitch_range": (0.0, 4.0),
}
"""Smallest and largest value: factors of the rate, seconds, decibels, semitones, factors of the range of pitch."""

NAMES = (*RANGES, "durations")
"""Arguments of the prosody of a text."""


def check_prosody(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the arguments that are given, with lists in place of arrays and tensors.

    Raises:
        ValueError: for a value of the wrong type or out of range.
    """
    checked = {name: value for name, value in given.items() if name in NAMES and value is not None}
    for name, value in checked.items():
        value = checked[name] = value.tolist() if hasattr(value, "tolist") else value
        if name == "durations":
            continue
        least, most = RANGES[name]
        for item in _items(value):
            if isinstance(item, bool) or not isinstance(item, int | float) or not least <= item <= most:
                raise ValueError(
                    f"`{name}` has {quoted(item)}; give a number from {least:g} to {most:g}, a list with one for each "
                    "word, or a dictionary of them by the index of the word."
                )
    return checked


def _items(value: Any) -> list:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def with_prosody(sentences: Sequence[Sentence], given: Mapping[str, Any]) -> list[Sentence]:
    """
    Return sentences with the prosody of arguments, in addition to their own.

    Args:
        sentences (`list[Sentence]`):
            All sentences of a text.
        given (`Mapping`):
            What `check_prosody` returned.

    Raises:
        ValueError: if there are not as many values as words, or not as many lists of durations as sentences.
    """
    words = [_words(sentence) for sentence in sentences]
    count = sum(map(len, words))
    by_word = {name: _by_word(name, given.get(name), count) for name in RANGES}
    styled, first, waiting = [], 0, []
    for sentence, spans, durations in zip(sentences, words, _durations(given, len(sentences)), strict=True):
        values = [{name: by_word[name][first + i] for name in RANGES} for i in range(len(spans))]
        first += len(spans)
        new = _styled(sentence, spans, values, waiting)
        waiting = _take_last(new, spans) if sentence is not sentences[-1] else []
        if durations is not None:
            new.arguments = {**new.arguments, "durations": [durations]}
        styled.append(new)
    return styled


def _words(sentence: Sentence) -> list[Span]:
    """Return the spans of the words of a sentence that have a timestamp."""
    content = sentence.content
    return [span for span in units.words(content) if any(map(units.is_read, content[slice(*span)]))]


def _by_word(name: str, value: Any, count: int) -> list:
    """Return a value for each word, None where there is none."""
    if isinstance(value, Mapping):
        if unknown := [index for index in value if not isinstance(index, int) or not -count <= index < count]:
            raise ValueError(f"`{name}` has a value for word {quoted(unknown[0])}; there are words 0 to {count - 1}.")
        by_index = {index % count: item for index, item in value.items()}
        return [by_index.get(i) for i in range(count)]
    if isinstance(value, Sequence):
        if len(value) != count:
            raise ValueError(
                f"`{name}` has {len(value)} values and the text {count} words, as `return_timestamps='word'` lists "
                "them; give one value, one for each, or a dictionary by the index of the word."
            )
        return list(value)
    return [value] * count


def _durations(given: Mapping[str, Any], count: int) -> list:
    durations = given.get("durations")
    if durations is None:
        return [None] * count
    lists = durations if len(durations) and isinstance(durations[0], Sequence) else [durations]
    if len(lists) != count:
        raise ValueError(f"`durations` has {len(lists)} lists of frames for {count} sentences; give one for each.")
    return list(lists)


def _styled(sentence: Sentence, words: list[Span], values: list[dict], waiting: list[Event]) -> Sentence:
    """Return a sentence with the values of its words, and the events that wait for it."""
    events = [*((0, event) for event in waiting), *sentence.events]
    styles, word = [], 0
    for (start, _), style in zip(sentence.spans, sentence.styles, strict=True):
        while word < len(words) and words[word][1] <= start:
            word += 1
        if word < len(words) and words[word][0] <= start:
            styles.append(_changed(style, values[word]))
            continue
        beside = [_changed(style, value) for value in values[max(0, word - 1) : word + 1]]  # of a space or a mark
        styles.append(beside[0] if beside and beside[0] == beside[-1] else style)
    for (_, end), value in zip(words, values, strict=True):
        if value["pauses"]:
            place = next((i for i, span in enumerate(sentence.spans) if span[0] >= end), len(sentence.text))
            events.append((place, Pause(value["pauses"])))
    return replace(sentence, styles=styles, events=sorted(events, key=lambda event: event[0]))


def _changed(style: Style, value: Mapping[str, Any]) -> Style:
    rate, volume = value["word_rates"], value["volume"]
    semitones, spread = value["pitch"] or 0.0, value["pitch_range"]
    pitch = style.pitch
    if semitones or spread is not None:
        factor = 1.0 if spread is None else spread
        pitch = replace(pitch, semitones=pitch.semitones + semitones, spread=pitch.spread * factor)
    factor = 1.0 if rate is None else rate
    return replace(style, rate=style.rate * factor, volume=style.volume + (volume or 0.0), pitch=pitch)


def _take_last(sentence: Sentence, words: list[Span]) -> list[Event]:
    """Remove the events after the last word of a sentence, and return them: they belong to the next sentence."""
    if not words:
        return []
    last = [event for place, event in sentence.events if place == len(sentence.text)]
    sentence.events = [item for item in sentence.events if item[0] != len(sentence.text)]
    return last
