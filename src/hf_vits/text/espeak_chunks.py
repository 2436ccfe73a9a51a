"""Have espeak-ng speak all of a text: in parts, where it has no room for the whole or crashes on it.

espeak-ng 1.52 keeps a clause in arrays of fixed size and leaves out in silence what does not fit: after 299 words, some
990 phonemes, 800 bytes with the spaces that it inserts, and in a word after some 190 phonemes. A clause near one of
these limits is spoken with words added at its end; where those are not heard, the clause is cut in two.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from hf_vits.text.errors import shortened
from hf_vits.text.espeak_process import EspeakEndedError

Spoken = list[tuple[int, str]]  # of each clause: where it ends in the text, and its phonemes
Ask = Callable[[list[str]], list[Spoken]]

# A row of some 190 single letters with full stops ("p.m. p.m. ..."), whatever other marks and white space stand between
# them, is written past a buffer, which may go unnoticed. One word of two letters ends the row.
_DOTTED_RUN = re.compile(r"(?:(?<![^\W_])[^\W_](?:[^\w.]|_)*\.[\W_]*){32}")
_LONG_WORD = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f\u0900-\u0df7\u0f71-\u0fbc\u1780-\u17d3'’]){50,}|\d{33,}")
_SHORTEST_LONG_WORD = 33
_CLAUSE_END = re.compile(r"[,;:!?…。！？।॥۔؟،؛][^\w\s]*\s+|\.[^\w\s]*\s+(?=[^\Wa-z])|\n\s*\n")
_UNSPOKEN_END = re.compile(r"[\s.,;:!?…\"'“”’»)\]}。！？।॥۔؟،؛]*\Z")
_SPACE = re.compile(r"(?<=\S)\s+(?=\S)")
_NO_PHONEME = re.compile(r"[ˈˌː ]")
_AFTERWARDS = " ma no ti"
_LEAST_AFTERWARDS = 5
_MOST_PHONEMES, _MOST_WORDS, _MOST_BYTES = 850, 250, 780  # beyond these a clause may have lost its end
_MOST_WRITTEN = 900  # phonemes with stress and spaces: words of another language take room for each change of language
_SMALL_BYTES, _SMALL_PHONEMES = 240, 400  # a clause of less is far from every limit
_ROOM_TO_ASK = 700  # bytes of a clause to which words can be added
_MOST_ENDINGS, _OF_TIME_LIMIT = 24, 6  # the second: as how many endings one counts that took seconds


class EspeakError(ValueError):
    """espeak-ng ends whenever it reads this text."""


def cannot_speak(text: str, error: EspeakEndedError) -> EspeakError:
    """Return the error for a text at which espeak-ng ended."""
    return EspeakError(
        f"espeak-ng {error} at {shortened(text)!r}, so that this cannot be spoken. Change this part of the text or "
        "leave it out; other texts are not affected."
    )


def pieces(text: str) -> Iterator[str]:
    """Yield the text in parts that espeak-ng can read; usually the text itself."""
    start = 0
    for run in _DOTTED_RUN.finditer(text):
        yield text[start : run.end()]
        start = run.end()
    if start < len(text) or not text:
        yield text[start:]


class Speaker:
    """Speaks texts whole, with as few requests as that takes.

    Args:
        ask: speaks a list of texts as espeak-ng does; raises `EspeakEndedError` where espeak-ng ends.
    """

    def __init__(self, ask: Ask):
        self._ask, self._endings = ask, 0

    def speak(self, texts: list[str]) -> list[Spoken]:
        """Return the clauses of each text.

        Raises:
            EspeakError: espeak-ng crashes or hangs at one of them, however it is divided. It names that part.
        """
        try:
            found = self._ask(texts)
        except EspeakEndedError as error:
            return self._after(error, texts)
        return [self._complete(text, clauses) for text, clauses in zip(texts, found, strict=True)]

    def _after(self, error: EspeakEndedError, texts: list[str]) -> list[Spoken]:
        """Speak texts at which espeak-ng ended, in smaller requests."""
        self._endings += _OF_TIME_LIMIT if error.took_too_long else 1
        if len(texts) > 1:
            return [self.speak([text])[0] for text in texts]
        parts = [texts[0]] if not error.fresh else _clauses(texts[0]) or halves(texts[0])
        if not parts or self._endings >= _MOST_ENDINGS:
            raise cannot_speak(texts[0], error) from error
        return [self._joined(parts)]

    def _joined(self, parts: Sequence[str]) -> Spoken:
        out, start = [], 0
        for part, clauses in zip(parts, self.speak(list(parts)), strict=True):
            out += [(start + end, phonemes) for end, phonemes in clauses]
            start += len(part)
        return out

    def _complete(self, text: str, clauses: Spoken) -> Spoken:
        """The clauses of a text; those that espeak-ng had no room for are spoken in halves."""
        out, start = [], 0
        for end, phonemes in clauses:
            parts = self._parts(text[start:end], phonemes)
            out += [(start + e, p) for e, p in self._joined(parts)] if parts else [(end, phonemes)]
            start = end
        return out

    def _parts(self, clause: str, phonemes: str) -> list[str]:
        """The parts in which a clause is to be spoken; none if it was spoken whole."""
        if len(clause) < _SHORTEST_LONG_WORD and len(phonemes) <= _SMALL_PHONEMES:
            return []
        if parts := self._parts_of_words(clause):
            return parts
        return halves(clause) if near_a_limit(clause, phonemes) and self._lacks_its_end(clause, phonemes) else []

    def _parts_of_words(self, clause: str) -> list[str]:
        """The clause with its long words in parts, where espeak-ng has no room for one; else nothing."""
        if max(map(len, clause.split()), default=0) < _SHORTEST_LONG_WORD:
            return []
        words = list(_LONG_WORD.finditer(clause))
        parts = [list(word[0]) if word[0].isdecimal() else halves(word[0]) for word in words]  # digits are spelled
        heard = self._phonemes([text for word, of_it in zip(words, parts, strict=True) for text in (word[0], *of_it)])
        out, start, heard = [], 0, iter(heard)
        for word, of_it in zip(words, parts, strict=True):
            whole, spoken = next(heard), [next(heard) for _ in of_it]
            if not of_it:  # one letter with its marks
                continue
            if len(whole) < 0.85 * sum(map(len, spoken)) or not whole.endswith(spoken[-1][-2:]):
                out += [clause[start : word.start()], *of_it]
                start = word.end()
        return [part for part in (*out, clause[start:]) if part] if start else []

    def _lacks_its_end(self, clause: str, phonemes: str) -> bool:
        if len(clause.encode("utf-8", "replace")) > _ROOM_TO_ASK:
            return True
        (longer,) = self._phonemes([_UNSPOKEN_END.sub("", clause) + _AFTERWARDS])
        return len(longer) < len(_NO_PHONEME.sub("", phonemes)) + _LEAST_AFTERWARDS

    def _phonemes(self, texts: list[str]) -> list[str]:
        """What is said of each text, without stress and length; nothing of all of them where espeak-ng ends."""
        try:
            found = self._ask(texts) if texts else []
        except EspeakEndedError:
            self._endings += 1
            return [""] * len(texts)
        return [_NO_PHONEME.sub("", "".join(phonemes for _, phonemes in clauses)) for clauses in found]


def near_a_limit(clause: str, phonemes: str) -> bool:
    """Whether a clause may be too long for one of espeak-ng's arrays, by cautious estimates."""
    size = len(clause.encode("utf-8", "replace"))
    if size <= _SMALL_BYTES and len(phonemes) <= _SMALL_PHONEMES:
        return False
    words = marks = changes = 0
    before = " "
    for character in clause:
        kind = _kind(character)
        marks += kind == "mark"
        changes += kind == "ideograph" or (kind != before and {kind, before} == {"letter", "digit"})
        words += kind == "ideograph" or (kind != before and kind in ("letter", "digit"))
        before = kind
    spoken = len(_NO_PHONEME.sub("", phonemes))
    if spoken > _MOST_PHONEMES or len(phonemes) > _MOST_WRITTEN:
        return True
    return words + marks > _MOST_WORDS or size + 2 * (marks + changes) > _MOST_BYTES


def _kind(character: str) -> str:
    if character >= "\u3040" and character.isalpha():
        return "ideograph"
    category = unicodedata.category(character)[0]
    return {"L": "letter", "M": "letter", "N": "digit", "Z": "space", "C": "space"}.get(category, "mark")


def _clauses(text: str) -> list[str]:
    """The text cut where espeak-ng is likely to end clauses; nothing if that is nowhere."""
    ends = [end.end() for end in _CLAUSE_END.finditer(text) if end.end() < len(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)] if ends else []


def halves(text: str) -> list[str]:
    """Two parts of a text: cut at white space near its middle, else beside a mark, else between two characters as a
    reader sees them; nothing if it is one."""
    places = [space.end() for space in _SPACE.finditer(text)]
    places = [i for i in places if text[:i].rstrip()[-1].isalnum()] or places
    if not places:
        import regex

        places = [character.start() for character in regex.finditer(r"\X", text)][1:]
        places = [i for i in places if _kind(text[i - 1]) != _kind(text[i])] or places
    if not places:
        return []
    cut = min(places, key=lambda i: abs(2 * i - len(text)))
    return [text[:cut], text[cut:]]
