"""Apply styles, pauses and marks to the waveform of a sentence, whole or chunk by chunk."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import numpy as np

from hf_vits.prosody.pitch import change_pitch
from hf_vits.prosody.script import Event, Mark, Pause, Pitch, Sentence, Style
from hf_vits.timestamps.tokens import BLANK, END, SentenceTokens
from hf_vits.utils.formatting import quoted

FADE, RAMP = 0.005, 0.01
"""Seconds of the fades to either side of a pause within a sentence, and of a change of volume."""

LIMIT = 0.85
"""Amplitude from which on samples that were made louder are compressed, so that none exceeds 1."""


class SentenceEffects:
    """
    The effects of a sentence, by token.

    Args:
        sentence ([`Sentence`]):
            The sentence.
        tokens ([`SentenceTokens`]):
            The tokens of its text.
        is_document (`bool`):
            True for SSML, whose marks are returned.
    """

    def __init__(self, sentence: Sentence, tokens: SentenceTokens, is_document: bool):
        self.is_document = is_document
        self.styles = _styles_of_tokens(sentence, tokens)
        self.events = [(self._token(sentence.text, tokens, place), event) for place, event in sentence.events]
        self.tokens = _in_content(sentence, tokens)

    def _token(self, text: str, tokens: SentenceTokens, place: int) -> int:
        """Return the token that an event at a place of the text is before; that of an end is the number of tokens."""
        while place < len(text) and text[place].isspace():
            place += 1
        if not text[:place].strip():
            return 0
        for i, (symbol, span) in enumerate(zip(tokens.symbols, tokens.spans, strict=True)):
            if symbol not in (BLANK, END) and span[0] >= place:
                return i
        return len(tokens.symbols)

    @property
    def token_rates(self) -> list[float]:
        """Factor of the rate for each token."""
        return [style.rate for style in self.styles]

    def span_durations(self, hop_length: int, sampling_rate: int) -> list[tuple[int, int, int]]:
        """
        Return the first token, the one after the last, and the frames of each span that has a time.

        Raises:
            ValueError: if the time of a span is less than a frame for each of its tokens.
        """
        spans, first = [], 0
        for time, members in groupby(self.styles, key=lambda style: style.time):
            last = first + len(list(members))
            if time is not None:
                begin, end = (round(seconds * sampling_rate / hop_length) for seconds in (time.begin, time.end))
                if end - begin < last - first:
                    least = (last - first) * hop_length / sampling_rate
                    raise ValueError(
                        f"`duration` gives {time.end - time.begin:.2f} s to a part of {quoted(self.tokens.text)}, "
                        f"which takes {least:.2f} s at least; give more."
                    )
                spans.append((first, last, end - begin))
            first = last
        return spans

    @property
    def begins_with_pause(self) -> bool:
        """True if there is a pause before the first word, of any length, in place of that between sentences."""
        return any(token == 0 and isinstance(event, Pause) for token, event in self.events)

    @property
    def needs_whole(self) -> bool:
        """True if the sentence cannot be processed in chunks, because its pitch changes."""
        return any(style.pitch != Pitch() for style in self.styles)

    def append(self, events: Sequence[Event]) -> None:
        """Add events at the end."""
        self.events += [(len(self.styles), event) for event in events]

    def prepend(self, events: Sequence[Event]) -> None:
        """Add events at the beginning."""
        self.events[:0] = [(0, event) for event in events]


@dataclass(frozen=True)
class Insertion:
    """Samples of silence put before sample `place` of a waveform."""

    place: int
    silence: int


class SentenceAudio:
    """
    The waveform of a sentence with its effects.

    Args:
        effects ([`SentenceEffects`]):
            The effects.
        durations (`list[int]`):
            Frames of each token.
        hop_length, sampling_rate (`int`):
            Of the model.
    """

    def __init__(self, effects: SentenceEffects, durations: Sequence[int], hop_length: int, sampling_rate: int):
        self.rate, self.effects = sampling_rate, effects
        self.bounds = [hop_length * frames for frames in accumulate(durations, initial=0)]
        self.insertions: list[Insertion] = []
        self.marks: list[tuple[str, int]] = []
        inserted = 0
        for token, event in effects.events:
            if isinstance(event, Mark):
                self.marks.append((event.name, self.bounds[token] + inserted))
            else:
                self.insertions.append(Insertion(self.bounds[token], round(event.seconds * sampling_rate)))
                inserted += self.insertions[-1].silence
        self.gain, self._done, self._is_louder = self._envelope(), 0, any(style.volume > 0 for style in effects.styles)

    def _envelope(self) -> np.ndarray | None:
        """Return the factor of each sample, None if all are 1."""
        total, gain = self.bounds[-1], None
        runs = list(self._runs(lambda style: style.volume))
        if any(volume for volume, _, _ in runs):
            places, values = [], []
            for volume, start, end in runs:
                half = min(round(RAMP * self.rate / 2), (end - start) // 2)
                places += [start + half if start else 0, end - half if end < total else total]
                values += [10 ** (volume / 20)] * 2
            gain = np.interp(np.arange(total), places, values).astype(np.float32)
        for place in {cut.place for cut in self.insertions if cut.silence and 0 < cut.place < total}:
            gain = np.ones(total, dtype=np.float32) if gain is None else gain
            fade = min(round(FADE * self.rate), place, total - place)
            slope = ((np.arange(fade) + 0.5) / max(fade, 1)).astype(np.float32)
            gain[place - fade : place] *= slope[::-1]
            gain[place : place + fade] *= slope
        return gain

    def _runs(self, value) -> Iterator[tuple]:
        """Return the values of consecutive tokens, with the first sample and the one after the last."""
        place = 0
        for key, group in groupby(self.effects.styles, key=value):
            count = len(list(group))
            start, end = self.bounds[place], self.bounds[place + count]
            place += count
            if end > start:
                yield key, start, end

    def add(self, samples: np.ndarray) -> np.ndarray:
        """
        Return the next samples with their effects and the silence within and before them; after the last ones, that at
        the end too.

        Args:
            samples (`float32 array of shape (samples,)`):
                Of the model; all of the sentence at once if `effects.needs_whole`.
        """
        start, end = self._done, self._done + len(samples)
        self._done = end
        if self.effects.needs_whole:
            assert len(samples) == self.bounds[-1], "pitch is changed sentence by sentence"
            samples = change_pitch(samples, self.rate, list(self._runs(lambda style: style.pitch)))
        if self.gain is not None:
            samples = samples * self.gain[start:end]
            samples = _limited(samples) if self._is_louder else samples
        parts, place = [], start
        for cut in self.insertions:
            if start <= cut.place < end or cut.place == end == self.bounds[-1]:
                parts += [samples[place - start : cut.place - start], np.zeros(cut.silence, dtype=np.float32)]
                place = cut.place
        return np.concatenate([*parts, samples[place - start :]]) if parts else samples

    def moved(self, start: int, end: int) -> tuple[int, int]:
        """Return two samples of the model's waveform as samples of the speech: what begins at a pause is after it, and
        what ends there before it."""
        places = [cut.place for cut in self.insertions]
        silences = [0, *accumulate(cut.silence for cut in self.insertions)]
        later = start + silences[sum(place <= start for place in places)]
        return later, max(later, end + silences[bisect_left(places, end)])


def _limited(samples: np.ndarray) -> np.ndarray:
    """Compress what is above `LIMIT` towards 1."""
    loud = np.abs(samples)
    room = 1 - LIMIT
    compressed = np.sign(samples) * (LIMIT + room * np.tanh((loud - LIMIT) / room))
    return np.where(loud > LIMIT, compressed, samples).astype(np.float32)


def _styles_of_tokens(sentence: Sentence, tokens: SentenceTokens) -> list[Style]:
    """Return the style of each token: that of its first character; a blank has that of the token before it."""
    styles: list[Style] = []
    for symbol, (place, _) in zip(tokens.symbols, tokens.spans, strict=True):
        if symbol in (BLANK, END) and styles:
            styles.append(styles[-1])
        else:
            styles.append(sentence.styles[min(place, len(sentence.styles) - 1)])
    return styles


def _in_content(sentence: Sentence, tokens: SentenceTokens) -> SentenceTokens:
    """Return tokens with their spans in what was written; starts and ends never decrease."""
    spans, start, end = [], 0, 0
    known = len(sentence.spans)
    for first, last in tokens.spans:
        if first < last:
            new = sentence.spans[first][0], sentence.spans[last - 1][1]
        else:
            new = (sentence.spans[first][0] if first < known else len(sentence.content),) * 2
        start, end = max(start, new[0]), max(end, new[1])
        spans.append((start, end))
    return SentenceTokens(sentence.content, tokens.symbols, spans)
