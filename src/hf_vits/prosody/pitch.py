"""
Change the pitch of speech by pitch-synchronous overlap-add (PSOLA; Moulines & Charpentier 1990).

Grains of two periods, which begin and end at the pitch marks beside them, are put closer together or further apart, so
that the envelope of the spectrum, the duration and unvoiced sounds stay as they are.
"""

import math
from collections.abc import Sequence

import numpy as np

from hf_vits.prosody.fundamental import HIGHEST, LOWEST, STEP, fundamental_frequency
from hf_vits.prosody.script import Pitch

RAMP = 0.02
"""Seconds in which pitch changes between two spans."""

Span = tuple[Pitch, int, int]
"""A pitch, and the first sample that has it and the one after the last."""


def change_pitch(samples: np.ndarray, rate: int, spans: Sequence[Span]) -> np.ndarray:
    """
    Return speech of another pitch, of equal length; samples outside of the spans with a change are the same.

    Args:
        samples (`float32 array of shape (samples,)`):
            A sentence.
        rate (`int`):
            Samples per second.
        spans (`list`):
            Pitches with their samples, in order and without gaps.
    """
    f0 = fundamental_frequency(samples, rate)
    voiced = f0 > 0
    if not voiced.any():
        return samples
    factors = _factors(f0, rate, spans, len(samples))
    period = rate / np.where(voiced, f0, 1.0)
    signal = np.asarray(samples, dtype=np.float64)
    changed = _Overlap(signal, rate, period, voiced, factors).samples()
    share = _share(rate, spans, len(samples))
    return (signal + share * (changed - signal)).astype(np.float32)


def _factors(f0: np.ndarray, rate: int, spans: Sequence[Span], length: int) -> np.ndarray:
    """Return the factor of F0 in each frame, for frames of F0 in hertz, 0 where unvoiced."""
    logs = np.log2(f0[f0 > 0])
    median, low, high = np.median(logs), *np.quantile(logs, (0.05, 0.95))
    semitones = np.zeros(len(f0))
    frames = np.arange(len(f0)) * STEP * rate
    away = np.where(f0 > 0, 12 * (np.log2(np.maximum(f0, 1)) - median), 0.0)
    for pitch, start, end in spans:
        base = pitch.median or 2**median
        shift = pitch.semitones + 12 * math.log2(max(base + pitch.hertz, LOWEST) / 2**median)
        spread = pitch.spread
        if pitch.range_hertz is not None:
            spread *= pitch.range_hertz / max(2**high - 2**low, 1.0)
        inside = (frames >= start) & (frames < end) if end < length else frames >= start
        semitones[inside] = shift + (spread - 1) * away[inside]
    width = max(1, round(RAMP / STEP))
    smooth = np.convolve(np.pad(semitones, width, mode="edge"), np.ones(width) / width, mode="same")[width:-width]
    wanted = np.clip(f0 * 2 ** (smooth / 12), LOWEST, 2 * HIGHEST)
    return np.where(f0 > 0, wanted / np.maximum(f0, 1), 1.0)


def _share(rate: int, spans: Sequence[Span], length: int) -> np.ndarray:
    """Return the share of the changed waveform in each sample: 1 in spans with a change, with short ramps outside."""
    share, ramp = np.zeros(length), max(1, round(RAMP * rate / 2))
    for pitch, start, end in spans:
        if pitch != Pitch():
            share[start:end] = 1.0
            before, after = share[max(0, start - ramp) : start], share[end : end + ramp]
            np.maximum(before, (np.arange(ramp - len(before), ramp) + 0.5) / ramp, out=before)
            np.maximum(after, 1 - (np.arange(len(after)) + 0.5) / ramp, out=after)
    return share


class _Overlap:
    """Overlap-add of grains around pitch marks; period in samples, voiced and factors by frame of 5 ms."""

    def __init__(self, signal: np.ndarray, rate: int, period: np.ndarray, voiced: np.ndarray, factors: np.ndarray):
        self.signal, self.step = signal, STEP * rate
        self.period, self.voiced, self.factors = period, voiced, factors

    def _at(self, values: np.ndarray, place: float) -> float:
        return values[min(max(round(place / self.step), 0), len(values) - 1)]

    def samples(self) -> np.ndarray:
        """Return the changed signal; where it is unvoiced, as it was."""
        out = self.signal.copy()
        for first, last in self._segments():
            start, end = round(first * self.step), min(round(last * self.step), len(out))
            marks = self._marks(start, end)
            if len(marks) >= 3:
                self._resynthesize(out, marks)
        return out

    def _segments(self) -> list[tuple[int, int]]:
        """Return the first voiced frame and the one after the last of each voiced segment."""
        edges = np.flatnonzero(np.diff(np.pad(self.voiced.astype(int), 1)))
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

    def _marks(self, start: int, end: int) -> np.ndarray:
        """Return the pitch marks of a voiced segment: one per period, where the waveform is most like around the one
        before; the first is at its highest peak."""
        signal = self.signal
        peak = start + int(np.argmax(np.abs(signal[start:end])))
        sign = np.sign(signal[peak]) or 1.0
        marks = [peak]
        for direction in (1, -1):
            place = peak
            while True:
                period = self._at(self.period, place)
                low, high = (round(place + direction * period * factor) for factor in (0.8, 1.2))
                low, high = min(low, high), max(low, high) + 1
                if low < max(start - period / 2, 0) or high > min(end + period / 2, len(signal)):
                    break
                place = low + self._similar(place, low, high, round(period / 2), sign)
                marks.append(place)
        return np.array(sorted(marks))

    def _similar(self, place: int, low: int, high: int, half: int, sign: float) -> int:
        """Return the offset from `low` of the place, below `high`, around which the waveform is most like around
        `place`; peaks of the same sign are preferred."""
        padded = np.pad(self.signal, half)
        template = padded[place : place + 2 * half]
        windows = np.lib.stride_tricks.sliding_window_view(padded[low : high - 1 + 2 * half], 2 * half)
        norms = np.linalg.norm(windows, axis=1) * np.linalg.norm(template) + 1e-9
        peaks = sign * self.signal[low:high] / (np.abs(self.signal[low:high]).max() + 1e-9)
        return int(np.argmax(windows @ template / norms + 0.1 * peaks))

    def _resynthesize(self, out: np.ndarray, marks: np.ndarray) -> None:
        """Replace the signal from the first to the last mark by grains at the new periods."""
        first, last = marks[0], marks[-1]
        total, place = np.zeros(len(out)), float(first)
        while place <= last + 0.5:
            nearest = int(np.abs(marks - place).argmin())
            self._add_grain(total, marks, nearest, round(place))
            before, after = max(nearest - 1, 0), min(nearest + 1, len(marks) - 1)
            place += (marks[after] - marks[before]) / (after - before) / self._at(self.factors, place)
        edge = min(int(marks[1] - marks[0]), (last - first) // 2)
        share = np.ones(last + 1 - first)
        share[:edge], share[-edge:] = np.linspace(0, 1, edge), np.linspace(1, 0, edge)
        out[first : last + 1] += share * (total - out)[first : last + 1]

    def _add_grain(self, total: np.ndarray, marks: np.ndarray, index: int, place: int) -> None:
        """Add the two periods around a pitch mark at another place."""
        mark = marks[index]
        left = mark - marks[index - 1] if index else marks[1] - mark
        right = marks[index + 1] - mark if index + 1 < len(marks) else mark - marks[-2]
        rising, falling = (np.pi * np.arange(length) / length for length in (left, right))
        window = np.concatenate([0.5 - 0.5 * np.cos(rising), 0.5 + 0.5 * np.cos(falling)])
        low, high = max(-left, -mark, -place), min(right, len(total) - mark, len(total) - place)
        if low < high:
            window = window[left + low : left + high]
            total[place + low : place + high] += window * self.signal[mark + low : mark + high]
