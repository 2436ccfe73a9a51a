"""Values of SSML's attributes: rates, pitches, volumes and times, in all forms of the W3C."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from hf_vits.prosody.script import Pitch
from hf_vits.utils.formatting import quoted

RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}
"""Factors of the usual rate."""

PITCHES = {"x-low": -4.0, "low": -2.0, "medium": 0.0, "default": 0.0, "high": 2.0, "x-high": 4.0}
"""Semitones."""

SPREADS = {"x-low": 0.25, "low": 0.6, "medium": 1.0, "default": 1.0, "high": 1.4, "x-high": 1.8}
"""Factors of the range of pitch."""

VOLUMES = {
    **{"silent": -math.inf, "x-soft": -12.0, "soft": -6.0, "medium": 0.0, "default": 0.0},
    **{"loud": 4.0, "x-loud": 8.0},
}
"""Decibels."""

STRENGTHS = {"none": 0.0, "x-weak": 0.0, "weak": 0.25, "medium": 0.5, "strong": 1.0, "x-strong": 1.5}
"""Seconds of a break."""

LEAST_RATE, MOST_RATE = 0.1, 10.0
MAX_SEMITONES, MAX_DECIBELS, MAX_SECONDS = 24.0, 24.0, 60.0
MOST_HERTZ = 1000.0

_NUMBER = r"[+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})"
_VALUE = re.compile(rf"({_NUMBER})\s?(%|st|hz|db|ms|s)?", re.IGNORECASE)


class SsmlError(ValueError):
    """A document that cannot be spoken; the message names the line and what to change."""


def rate(text: str, current: float) -> float:
    """Return the factor of a rate: of a name, as a factor of the usual one, or a number or percentage of the current
    one; a percentage with a sign is a change."""
    if (named := RATES.get(text.strip().lower())) is not None:
        return named
    value, unit = _parsed("rate", text, ("", "%"), RATES)
    if unit == "%":
        value = (100 + value if text.strip()[0] in "+-" else value) / 100
    return _within("rate", text, value * current, LEAST_RATE, MOST_RATE, "times the usual rate")


def pitch(text: str, current: Pitch) -> Pitch:
    """Return a pitch: of a name, hertz, or a change in hertz, percent or semitones of the current one."""
    if (named := PITCHES.get(text.strip().lower())) is not None:
        return replace(current, semitones=named, median=None, hertz=0.0)
    value, unit = _parsed("pitch", text, ("%", "st", "hz"), PITCHES)
    if unit == "hz":
        is_change = text.strip()[0] in "+-"
        _within("pitch", text, value, -MOST_HERTZ if is_change else 20, MOST_HERTZ, "Hz")
        if is_change:
            return replace(current, hertz=current.hertz + value)
        return replace(current, median=value, hertz=0.0, semitones=0.0)
    change = value if unit == "st" else _semitones("pitch", text, value)
    total = _within("pitch", text, current.semitones + change, -MAX_SEMITONES, MAX_SEMITONES, "semitones")
    return replace(current, semitones=total)


def pitch_range(text: str, current: Pitch) -> Pitch:
    """Return a pitch of another range: of a name, hertz, or a change in percent or semitones of the current one."""
    if (named := SPREADS.get(text.strip().lower())) is not None:
        return replace(current, spread=named, range_hertz=None)
    value, unit = _parsed("range", text, ("%", "st", "hz"), SPREADS)
    if unit == "hz" and text.strip()[0] not in "+-":
        return replace(current, range_hertz=_within("range", text, value, 0, MOST_HERTZ, "Hz"))
    if unit == "hz":
        raise SsmlError(f"`range` is {quoted(text)}; give a change in percent or semitones, such as '+20%' or '-2st'.")
    factor = 1 + value / 100 if unit == "%" else 2 ** (value / 12)
    return replace(current, spread=_within("range", text, current.spread * factor, 0, 4, "times the usual range"))


def volume(text: str, current: float) -> float:
    """Return decibels: of a name, a number from 0 to 100 (the usual), or a change in decibels, percent or numbers."""
    if (named := VOLUMES.get(text.strip().lower())) is not None:
        return named
    value, unit = _parsed("volume", text, ("", "%", "db"), VOLUMES)
    is_change = text.strip()[0] in "+-"
    if unit == "db":
        decibels = current + value
    elif is_change:  # of the amplitude, of which 100 is the usual one
        decibels = current + _decibels("volume", text, 1 + value / 100)
    else:
        decibels = _decibels("volume", text, _within("volume", text, value / 100, 0, 1, "times the usual amplitude"))
    if decibels == -math.inf:
        return decibels
    return _within("volume", text, decibels, -100, MAX_DECIBELS, "dB")


def seconds(name: str, text: str, most: float = MAX_SECONDS) -> float:
    """Return the seconds of a time such as "500ms", "1.5s" or "+2s"."""
    value, unit = _parsed(name, text, ("ms", "s"), {})
    return _within(name, text, value / 1000 if unit == "ms" else value, 0, most, "seconds")


def choice(name: str, text: str, known: Mapping[str, float]) -> float:
    """Return the value of a name."""
    if (value := known.get(text.strip().lower())) is None:
        raise SsmlError(f"`{name}` is {quoted(text)}; it can be {', '.join(known)}.")
    return value


def _parsed(name: str, text: str, units: tuple[str, ...], names: Mapping[str, float]) -> tuple[float, str]:
    match = _VALUE.fullmatch(text.strip())
    unit = (match[2] or "").lower() if match else None
    if unit not in units:
        forms = [f"a number with {unit}" if unit else "a number" for unit in units]
        raise SsmlError(f"`{name}` is {quoted(text)}; it can be {', '.join([*names, *forms])}.")
    return float(match[1]), unit


def _semitones(name: str, text: str, percent: float) -> float:
    if percent <= -100:
        raise SsmlError(f"`{name}` is {quoted(text)}; a change of pitch must be above -100%.")
    return 12 * math.log2(1 + percent / 100)


def _decibels(name: str, text: str, factor: float) -> float:
    if factor < 0:
        raise SsmlError(f"`{name}` is {quoted(text)}; a change must be at least -100.")
    return 20 * math.log10(factor) if factor else -math.inf


def _within(name: str, text: str, value: float, least: float, most: float, unit: str) -> float:
    if not least <= value <= most:
        raise SsmlError(f"`{name}` is {quoted(text)}, here {value:g} {unit}; it must be {least:g} to {most:g} {unit}.")
    return value
