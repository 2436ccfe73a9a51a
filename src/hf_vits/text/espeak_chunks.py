"""Divide texts where espeak-ng has no room for the whole or crashes, so that all of a text gets its phonemes.

espeak-ng 1.52 keeps a clause in arrays of fixed size and silently drops what exceeds them: more than 299 words, about
990 phonemes, 800 bytes with the spaces that it inserts, and about 190 phonemes in one word. A clause near one of these
limits is phonemized with words added at its end; if their phonemes are missing, the clause is divided.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from hf_vits.text.errors import shortened
from hf_vits.text.espeak_process import EspeakEndedError
from hf_vits.text.offsets import clusters

RawClauses = list[tuple[int, str]]  # of each clause: its end in the text, and its phonemes
Request = Callable[[list[str]], list[RawClauses]]

# About 190 single letters with full stops ("p.m. p.m. ...") in sequence, with any other marks and white space between
# them, overflow a buffer, which may go unnoticed. One word of two letters ends the sequence.
_DOTTED_SEQUENCE = re.compile(r"(?:(?<![^\W_])[^\W_](?:[^\w.]|_)*\.[\W_]*){32}")
_LONG_WORD = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f\u0900-\u0df7\u0f71-\u0fbc\u1780-\u17d3'’]){50,}|\d{33,}")
_SHORTEST_LONG_WORD = 33
_CLAUSE_END = re.compile(r"[,;:!?…。！？।॥۔؟،؛][^\w\s]*\s+|\.[^\w\s]*\s+(?=[^\Wa-z])|\n\s*\n")
_SILENT_END = re.compile(r"[\s.,;:!?…\"'“”’»)\]}。！？।॥۔؟،؛]*\Z")
_SPACE = re.compile(r"(?<=\S)\s+(?=\S)")
_NO_PHONEME = re.compile(r"[ˈˌː ]")
_ADDED_WORDS, _ADDED_PHONEMES = " ma no ti", 5  # the second: the least phonemes of the added words
_MAX_PHONEMES, _MAX_WORDS, _MAX_BYTES = 850, 250, 780  # beyond these a clause may have lost its end
_MAX_OUTPUT = 900  # phonemes with stress and spaces: each change of language needs room too
_SMALL_BYTES, _SMALL_PHONEMES = 240, 400  # smaller clauses are far from every limit
_MAX_BYTES_TO_EXTEND = 700  # of a clause to which words can be added
_MAX_ENDINGS, _TIMEOUT_ENDINGS = 24, 6  # a timeout counts as that many endings


class EspeakError(ValueError):
    """Raised for a text at which espeak-ng always ends."""


def ended_error(text: str, error: EspeakEndedError) -> EspeakError:
    """Return the error for a text at which espeak-ng ended."""
    return EspeakError(
        f"espeak-ng {error} at {shortened(text)!r}, so it has no phonemes. Change this part of the text or remove it; "
        "other texts are not affected."
    )


def divide(text: str) -> Iterator[str]:
    """Yield the chunks of a text that espeak-ng can read, usually the text itself."""
    start = 0
    for sequence in _DOTTED_SEQUENCE.finditer(text):
        yield text[start : sequence.end()]
        start = sequence.end()
    if start < len(text) or not text:
        yield text[start:]


class ChunkedRequests:
    """Phonemize whole texts with as few requests as possible.

    Args:
        request: returns espeak-ng's clauses of a list of texts; raises `EspeakEndedError` if espeak-ng ends.
    """

    def __init__(self, request: Request):
        self._request, self._endings = request, 0

    def run(self, texts: list[str]) -> list[RawClauses]:
        """Return the clauses of each text.

        Raises:
            EspeakError: if espeak-ng crashes or hangs at a text however it is divided; names that part.
        """
        try:
            found = self._request(texts)
        except EspeakEndedError as error:
            return self._retry(error, texts)
        return [self._complete(text, clauses) for text, clauses in zip(texts, found, strict=True)]

    def _retry(self, error: EspeakEndedError, texts: list[str]) -> list[RawClauses]:
        """Send texts at which espeak-ng ended in smaller requests."""
        self._endings += _TIMEOUT_ENDINGS if error.took_too_long else 1
        if len(texts) > 1:
            return [self.run([text])[0] for text in texts]
        parts = [texts[0]] if not error.first_request else _clauses(texts[0]) or halves(texts[0])
        if not parts or self._endings >= _MAX_ENDINGS:
            raise ended_error(texts[0], error) from error
        return [self._run_parts(parts)]

    def _run_parts(self, parts: Sequence[str]) -> RawClauses:
        out, start = [], 0
        for part, clauses in zip(parts, self.run(list(parts)), strict=True):
            out += [(start + end, phonemes) for end, phonemes in clauses]
            start += len(part)
        return out

    def _complete(self, text: str, clauses: RawClauses) -> RawClauses:
        """Return a text's clauses, after dividing those for which espeak-ng had no room."""
        out, start = [], 0
        for end, phonemes in clauses:
            parts = self._parts(text[start:end], phonemes)
            out += [(start + e, p) for e, p in self._run_parts(parts)] if parts else [(end, phonemes)]
            start = end
        return out

    def _parts(self, clause: str, phonemes: str) -> list[str]:
        """Return the parts into which a clause must be divided; none if its phonemes are complete."""
        if len(clause) < _SHORTEST_LONG_WORD and len(phonemes) <= _SMALL_PHONEMES:
            return []
        if parts := self._parts_of_words(clause):
            return parts
        return halves(clause) if near_a_limit(clause, phonemes) and self._lacks_its_end(clause, phonemes) else []

    def _parts_of_words(self, clause: str) -> list[str]:
        """Divide the words that are too long for espeak-ng; return nothing if there are none."""
        if max(map(len, clause.split()), default=0) < _SHORTEST_LONG_WORD:
            return []
        words = list(_LONG_WORD.finditer(clause))
        parts = [list(word[0]) if word[0].isdecimal() else halves(word[0]) for word in words]  # digits are read singly
        texts = [text for word, of_word in zip(words, parts, strict=True) for text in (word[0], *of_word)]
        out, start, found = [], 0, iter(self._phonemes(texts))
        for word, of_word in zip(words, parts, strict=True):
            whole, divided = next(found), [next(found) for _ in of_word]
            if not of_word:  # one letter with its marks
                continue
            if len(whole) < 0.85 * sum(map(len, divided)) or not whole.endswith(divided[-1][-2:]):
                out += [clause[start : word.start()], *of_word]
                start = word.end()
        return [part for part in (*out, clause[start:]) if part] if start else []

    def _lacks_its_end(self, clause: str, phonemes: str) -> bool:
        if len(clause.encode("utf-8", "replace")) > _MAX_BYTES_TO_EXTEND:
            return True
        (longer,) = self._phonemes([_SILENT_END.sub("", clause) + _ADDED_WORDS])
        return len(longer) < len(_NO_PHONEME.sub("", phonemes)) + _ADDED_PHONEMES

    def _phonemes(self, texts: list[str]) -> list[str]:
        """Return each text's phonemes without stress and length; only empty strings if espeak-ng ends."""
        try:
            found = self._request(texts) if texts else []
        except EspeakEndedError:
            self._endings += 1
            return [""] * len(texts)
        return [_NO_PHONEME.sub("", "".join(phonemes for _, phonemes in clauses)) for clauses in found]


def near_a_limit(clause: str, phonemes: str) -> bool:
    """Return True if a clause may exceed one of espeak-ng's arrays, by cautious estimates."""
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
    count = len(_NO_PHONEME.sub("", phonemes))
    if count > _MAX_PHONEMES or len(phonemes) > _MAX_OUTPUT:
        return True
    return words + marks > _MAX_WORDS or size + 2 * (marks + changes) > _MAX_BYTES


def _kind(character: str) -> str:
    if character >= "\u3040" and character.isalpha():
        return "ideograph"
    category = unicodedata.category(character)[0]
    return {"L": "letter", "M": "letter", "N": "digit", "Z": "space", "C": "space"}.get(category, "mark")


def _clauses(text: str) -> list[str]:
    """Divide a text where espeak-ng probably ends clauses; return nothing if there is no such place."""
    ends = [end.end() for end in _CLAUSE_END.finditer(text) if end.end() < len(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)] if ends else []


def halves(text: str) -> list[str]:
    """Divide a text in two near its middle: at white space, else beside a mark, else between two grapheme clusters.

    Return nothing for a single cluster.
    """
    places = [space.end() for space in _SPACE.finditer(text)]
    places = [i for i in places if text[:i].rstrip()[-1].isalnum()] or places
    if not places:
        places = [start for start, _ in clusters(text)][1:]
        places = [i for i in places if _kind(text[i - 1]) != _kind(text[i])] or places
    if not places:
        return []
    cut = min(places, key=lambda i: abs(2 * i - len(text)))
    return [text[:cut], text[cut:]]
