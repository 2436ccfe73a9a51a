"""A notation of what a document says and how, to write down what is expected of one.

Sentences are separated by " / ". A pause is <0.5>, in seconds, and a mark <#name>. Text in a style is {r0.5 v-6:text}:
r is the rate, v decibels, p semitones, m the median in hertz, h hertz that are added, s the spread, g the range in
hertz, d the seconds that all text of it lasts. @name begins a sentence of a speaker, ~name one of a language.
"""

import math
import re
from itertools import groupby

from hf_vits.prosody.script import Pause

LETTERS = {"speaker_id": "@", "language_id": "~"}
_PIECE = re.compile(r"<#(?P<mark>[^>]*)>|<(?P<pause>[\d.]+)>|\{(?P<style>[^:{}]*):|(?P<end>\})|(?P<letter>.)")


def noted(sentences):
    """-> the notation of sentences."""
    return " / ".join(map(_noted, sentences))


def _noted(sentence):
    out = [f"{LETTERS[name]}{value} " for name, value in sentence.arguments.items()]
    events, place = list(sentence.events), 0
    for style, run in groupby(range(len(sentence.text)), key=lambda i: sentence.styles[i]):
        name = _name(style)
        out += [_event(event) for at, event in events if at == place]
        out.append("{" + name + ":" if name else "")
        for i in run:
            out += [_event(event) for at, event in events if at == i != place] if i != place else []
            out.append(sentence.text[i])
        out.append("}" if name else "")
        place = i + 1
    return "".join([*out, *(_event(event) for at, event in events if at >= len(sentence.text))])


def _event(event):
    return f"<{event.seconds:g}>" if isinstance(event, Pause) else f"<#{event.name}>"


def _name(style):
    pitch = style.pitch
    values = {"r": style.rate, "v": style.volume, "p": pitch.semitones, "m": pitch.median, "h": pitch.hertz}
    values |= {"s": pitch.spread, "g": pitch.range_hertz}
    values["d"] = style.time and style.time.end - style.time.begin
    usual = {"d": None, "r": 1.0, "v": 0.0, "p": 0.0, "m": None, "h": 0.0, "s": 1.0, "g": None}
    return " ".join(f"{name}{round(value, 2):g}" for name, value in values.items() if value != usual[name])


def spoken(notation):
    """-> the text of a notation, without everything else; sentences are separated by spaces."""
    pieces = _PIECE.finditer(re.sub(r"[@~]\S+ ", "", notation.replace(" / ", " ")))
    return " ".join("".join(piece["letter"] or "" for piece in pieces).split())


def timed(notation, known, frames, hop, rate):
    """-> samples of a notation, and those of its marks, where each letter of `known` and the blank after it have
    `frames` frames at the usual rate, and so has the first blank."""
    total, marks = 0, []
    for sentence in notation.split(" / "):
        total = _timed(re.sub(r"^[@~]\S+ ", "", sentence), known, frames, hop, rate, total, marks)
    return total, marks


def _timed(sentence, known, frames, hop, rate, total, marks):
    factors, given, waiting, spaces = [1.0], [None], [], []
    begun = is_counted = False

    def insert():
        nonlocal total
        for name, seconds in waiting:
            if name is not None:
                marks.append((name, total))
            total += round(float(seconds or 0) * rate)
        waiting.clear()

    for piece in _PIECE.finditer(sentence):
        if piece["end"]:
            factors.pop()
            given.pop()
        elif piece["style"] is not None:
            found = re.search(r"\br([\d.]+)", piece["style"])
            factors.append(float(found[1]) if found else 1.0)
            found = re.search(r"\bd([\d.]+)", piece["style"])
            given.append(float(found[1]) if found else None)
        elif piece["letter"] is None:
            waiting.append((piece["mark"], piece["pause"]))
        elif piece["letter"] == " ":
            spaces += [factors[-1]] if given[-1] is None else []
        elif piece["letter"].lower() in known:
            if begun:  # a space before a word is spoken before what is in it
                total += sum(2 * hop * math.ceil(frames / factor) for factor in spaces)
            spaces = []
            insert()
            if given[-1] is None:
                total += (2 if begun else 3) * hop * math.ceil(frames / factors[-1])
            elif not is_counted:
                total += hop * round(given[-1] * rate / hop)
            begun, is_counted = True, given[-1] is not None
    insert()
    return total
