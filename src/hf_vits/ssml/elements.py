"""The elements of SSML that have an effect."""

import re
from dataclasses import replace

from hf_vits.prosody.script import Mark, Pause, Time
from hf_vits.ssml import values, xsampa
from hf_vits.ssml.reader import ELEMENTS, MAX_TOTAL_PAUSE, Reader
from hf_vits.ssml.values import SsmlError
from hf_vits.utils.formatting import quoted

EMPHASES = {
    "strong": (0.75, 4.0, 2.0),
    "moderate": (0.85, 2.0, 1.0),
    "none": (1.0, 0.0, 0.0),
    "reduced": (1.15, -2.0, -1.0),
}
"""Factor of the rate, decibels and semitones of each level: longer, louder and higher."""

_BRACKETS = re.compile(r"[\[\]]")


@ELEMENTS.register("speak")
def speak(reader, attributes):
    """Begin the document; its language is that of the voice, or one of a voice of several."""
    language, _, _, _ = attributes.take("xml:lang", "version", "onlangfailure", "schemaLocation")
    _language(reader, language)


@ELEMENTS.register("p")
@ELEMENTS.register("paragraph")
@ELEMENTS.register("s")
@ELEMENTS.register("sentence")
def sentence(reader, attributes):
    """End the sentence before, and its own."""
    _language(reader, attributes.take("xml:lang")[0])
    reader.boundary()


@ELEMENTS.register("w")
@ELEMENTS.register("token")
def word(reader, attributes):
    """Read text, of which words are divided by spaces anyway."""
    attributes.take("role", "xml:lang")


@ELEMENTS.register("break")
def pause(reader, attributes):
    """Insert silence: `time`, or that of `strength`."""
    time, strength = attributes.take("time", "strength")
    by_strength = values.choice("strength", "medium" if strength is None else strength, values.STRENGTHS)
    reader.event(Pause(by_strength if time is None else values.seconds("time", time)))


@ELEMENTS.register("mark")
def mark(reader, attributes):
    """Return the time of this place, by its name."""
    reader.event(Mark(attributes.need("name")[0]))


@ELEMENTS.register("bookmark")
def bookmark(reader, attributes):
    """Return the time of this place, by the name that Azure has it under."""
    reader.event(Mark(attributes.need("mark")[0]))


@ELEMENTS.register("prosody")
def prosody(reader, attributes):
    """Change rate, pitch, range, volume and duration."""
    rate, pitch, spread, volume, duration = attributes.take("rate", "pitch", "range", "volume", "duration")
    style = reader.style
    if rate is not None:
        style = replace(style, rate=values.rate(rate, style.rate))
    if pitch is not None:
        style = replace(style, pitch=values.pitch(pitch, style.pitch))
    if spread is not None:
        style = replace(style, pitch=values.pitch_range(spread, style.pitch))
    if volume is not None:
        style = replace(style, volume=values.volume(volume, style.volume))
    reader.style = style
    if duration is not None:
        _duration(reader, duration)


def _duration(reader: Reader, text: str) -> None:
    """Let the element last so long, with the breaks in it."""
    time = Time(0.0, values.seconds("duration", text, MAX_TOTAL_PAUSE))
    if reader.style.time is not None:
        return reader.ignore("`duration` of <prosody> within another one")
    reader.style = replace(reader.style, time=time)
    pauses, letters, line = reader.pauses, reader.letters, reader.line

    def at_end() -> None:
        within, reader.line = reader.pauses - pauses, line
        if within >= time.end:
            raise SsmlError(f"`duration` is {quoted(text)}, and the breaks within it last {within:g} s; give more.")
        if reader.letters == letters:
            reader.ignore("`duration` of <prosody> without text")
        time.end -= within

    reader.at_end(at_end)


@ELEMENTS.register("emphasis")
def emphasis(reader, attributes):
    """Speak longer, louder and higher; the opposite for the level "reduced"."""
    level = (attributes.take("level")[0] or "moderate").strip().lower()
    if level not in EMPHASES:
        raise SsmlError(f"`level` is {quoted(level)}; it can be {', '.join(EMPHASES)}.")
    factor, decibels, semitones = EMPHASES[level]
    style = reader.style
    pitch = replace(style.pitch, semitones=style.pitch.semitones + semitones)
    reader.style = replace(style, rate=style.rate * factor, volume=style.volume + decibels, pitch=pitch)


@ELEMENTS.register("sub")
def sub(reader, attributes):
    """Speak the alias in place of the text."""
    alias = " ".join(attributes.need("alias")[0].split())
    return lambda text: reader.say(text, alias)


@ELEMENTS.register("phoneme")
def phoneme(reader, attributes):
    """Speak phonemes in place of the text."""
    phonemes, alphabet = attributes.need("ph", "alphabet")
    line, alphabet = reader.line, (alphabet or "ipa").strip().lower()
    converted = {"ipa": str, "x-sampa": xsampa.to_ipa, "xsampa": xsampa.to_ipa}.get(alphabet)
    ipa = _BRACKETS.sub("", " ".join(converted(phonemes).split())) if converted else ""

    def at_end(text: str) -> None:
        reader.line = line
        if not reader.voice.reads_phonemes:
            reader.ignore("<phoneme>, because this voice reads letters")
        elif not converted:
            reader.ignore(f"<phoneme> in the alphabet {quoted(alphabet)}; there are ipa and x-sampa")
        elif ipa:
            return reader.say(text, f"[[{ipa}]]")
        reader.say(text)

    return at_end


@ELEMENTS.register("say-as")
def say_as(reader, attributes):
    """Read text as a number, a date, or what else it says it is."""
    kind, form, _ = attributes.need("interpret-as", "format", "detail")
    line, language = reader.line, reader.language

    def at_end(text: str) -> None:
        from hf_vits.text.expansion.say_as import say_as as reading

        try:
            spoken = reading(" ".join(text.split()), kind.strip().lower(), language or "en", form)
        except (ValueError, ImportError) as error:
            reader.line = line
            reader.ignore(f"<say-as interpret-as={quoted(kind)}>, but for its text: {error}")
            return reader.say(text)
        reader.say(text, spoken)

    return at_end


@ELEMENTS.register("voice")
def voice(reader, attributes):
    """Speak as another speaker of the voice, by name or number."""
    name, language, *_ = attributes.take("name", "xml:lang", "languages", "gender", "age", "variant", "required")
    _language(reader, language)
    if name is None:
        return reader.ignore("<voice> without a name, but for its text")
    known = {other.lower(): other for other in reader.voice.speakers}
    chosen = next((known[one.lower()] for one in (name, *name.split()) if one.lower() in known), None)
    if chosen is None and name.isdecimal() and len(name) < 10 and int(name) < reader.voice.num_speakers:
        chosen = int(name)
    if chosen is None:
        return reader.ignore(f"<voice name={quoted(name)}>, but for its text: {_listed(reader)}")
    if reader.voice.num_speakers > 1:
        reader.set_arguments({**reader.arguments, "speaker_id": chosen})


def _listed(reader: Reader) -> str:
    names, count = reader.voice.speakers, reader.voice.num_speakers
    return f"there are {', '.join(names) or f'0 to {count - 1}'}" if count > 1 else "this model has one speaker"


@ELEMENTS.register("lang")
def lang(reader, attributes):
    """Speak in another language of the voice."""
    _language(reader, attributes.need("xml:lang", "onlangfailure")[0])


def _language(reader: Reader, code: str | None) -> None:
    """Change the language if the voice has it; report it if it is not that of the voice."""
    if code is None:
        return
    primary = code.lower().replace("_", "-")
    known = {name.lower().replace("_", "-"): name for name in reader.voice.languages}
    chosen = known.get(primary) or known.get(primary.split("-")[0])
    if chosen is not None:
        reader.language = chosen
        reader.set_arguments({**reader.arguments, "language_id": chosen})
    elif not _is_same(code, reader.voice.language):
        reader.ignore(f"the language {quoted(code)}: this voice speaks {reader.voice.language or 'an unknown one'}")


def _is_same(code: str, language: str | None) -> bool:
    from hf_vits.text.espeak import voice_for

    if language is None:
        return True
    try:
        return voice_for(code.lower().split("-")[0]).split("-")[0] == voice_for(language).split("-")[0]
    except ValueError:
        return code.lower().split("-")[0] == language.lower().split("-")[0]


@ELEMENTS.register("audio")
def audio(reader, attributes):
    """Speak what is within, because files are never read; an element without any text is refused."""
    attributes.take("src", "fetchtimeout", "fetchhint", "maxage", "maxstale")
    reader.ignore("<audio>, but for its text: files are not read")
    before = reader.length

    def at_end() -> None:
        if reader.length == before:
            raise SsmlError("<audio> without text is refused: files are not read. Leave it out, or put text in it.")

    reader.at_end(at_end)


@ELEMENTS.register("meta")
@ELEMENTS.register("metadata")
@ELEMENTS.register("lexicon")
@ELEMENTS.register("desc")
def note(reader, attributes):
    """Report what is no speech, and leave it out."""
    attributes.skip()
    return lambda text: None
