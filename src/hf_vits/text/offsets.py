"""Text that remembers, character by character, where in the original text it came from."""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

Span = tuple[int, int]


class TextWithOffsets:
    """A string and, if wanted, the (start, end) span in the original text of each of its characters.

    Every method returns a new text. With `spans=None` nothing is tracked and the methods are plain string operations,
    so one implementation of a front end serves both the fast path and the one with offsets.
    """

    __slots__ = ("spans", "text")

    def __init__(self, text: str, spans: list[Span] | None):
        """Stores the two as they are; `original` makes the first text of a chain."""
        self.text = text
        self.spans = spans

    @classmethod
    def original(cls, text: str, track: bool) -> "TextWithOffsets":
        """The text before any change: each character spans itself."""
        return cls(text, [(i, i + 1) for i in range(len(text))] if track else None)

    @classmethod
    def join(cls, pieces: Iterable["TextWithOffsets"], track: bool) -> "TextWithOffsets":
        """The pieces one after another."""
        pieces = list(pieces)
        spans = [span for piece in pieces for span in piece.spans] if track else None
        return cls("".join(piece.text for piece in pieces), spans)

    def slice(self, start: int, end: int) -> "TextWithOffsets":
        """Characters start to end."""
        return TextWithOffsets(self.text[start:end], None if self.spans is None else self.spans[start:end])

    def span(self, start: int, end: int) -> Span:
        """The original span of characters start to end; an empty range gives an empty span at its place."""
        if start < end:
            return self.spans[start][0], self.spans[end - 1][1]
        if start < len(self.spans):
            return (self.spans[start][0],) * 2
        return (self.spans[-1][1],) * 2 if self.spans else (0, 0)

    def lower(self) -> "TextWithOffsets":
        """Lower case, as `str.lower`; one letter may become two."""
        return self._rewritten(self.text.lower(), str.lower)

    def map(self, function: Callable[[str], str]) -> "TextWithOffsets":
        """Each character replaced by `function(character)`, a string of any length."""
        return self._rewritten("".join(map(function, self.text)), function)

    def _rewritten(self, text: str, function: Callable[[str], str]) -> "TextWithOffsets":
        if self.spans is None:
            return TextWithOffsets(text, None)
        pairs = zip(self.text, self.spans, strict=True)
        return TextWithOffsets(text, [span for character, span in pairs for _ in function(character)])

    def substitute(self, pattern: re.Pattern, replacement: Callable[[re.Match], str]) -> "TextWithOffsets":
        """Every match replaced; the characters of a replacement span the whole match."""
        if self.spans is None:
            return TextWithOffsets(pattern.sub(replacement, self.text), None)
        pieces, position = [], 0
        for match in pattern.finditer(self.text):
            new = replacement(match)
            pieces += [self.slice(position, match.start()), TextWithOffsets(new, [self.span(*match.span())] * len(new))]
            position = match.end()
        return TextWithOffsets.join([*pieces, self.slice(position, len(self.text))], track=True)

    def unicode_form(self, form: str) -> "TextWithOffsets":
        """A Unicode normalisation form; a base letter with its combining marks spans as one."""
        text = unicodedata.normalize(form, self.text)
        if self.spans is None or text == self.text:
            return TextWithOffsets(text, self.spans)
        pieces = []
        for start, end in clusters(self.text):
            new = unicodedata.normalize(form, self.text[start:end])
            pieces.append(TextWithOffsets(new, [self.span(start, end)] * len(new)))
        whole = TextWithOffsets.join(pieces, track=True)
        if whole.text == text:
            return whole
        # A composition crossed two clusters: the only span that is surely right is the whole text's.
        return TextWithOffsets(text, [self.span(0, len(self.text))] * len(text))

    def composed(self) -> "TextWithOffsets":
        """Letters and their marks composed (NFC). Characters that stand alone are kept: U+037E is no semicolon here."""
        if self.text.isascii() or unicodedata.is_normalized("NFC", self.text):
            return self
        pieces = []
        for start, end in clusters(self.text):
            new = unicodedata.normalize("NFC", self.text[start:end]) if end - start > 1 else self.text[start]
            spans = None if self.spans is None else [self.span(start, end)] * len(new)
            pieces.append(self.slice(start, end) if new == self.text[start:end] else TextWithOffsets(new, spans))
        return TextWithOffsets.join(pieces, self.spans is not None)

    def strip(self) -> "TextWithOffsets":
        """Without white space at both ends."""
        start = len(self.text) - len(self.text.lstrip())
        return self.slice(start, start + len(self.text.strip()))

    def keep(self, known: frozenset[str]) -> tuple["TextWithOffsets", Counter]:
        """Only the known characters, and a count of those left out."""
        unknown = set(self.text) - known
        if not unknown:
            return self, Counter()
        text = self.text.translate(dict.fromkeys(map(ord, unknown)))
        spans = self.spans
        if spans is not None:
            pairs = zip(self.text, spans, strict=True)
            spans = [span for character, span in pairs if character not in unknown]
        return TextWithOffsets(text, spans), Counter(character for character in self.text if character in unknown)


def clusters(text: str) -> Iterable[Span]:
    """Ranges of Unicode's extended grapheme clusters: a letter with its marks, jamo of one Hangul syllable."""
    return (match.span() for match in _cluster().finditer(text))


@functools.cache
def _cluster():
    """Compiled at the first text that needs it."""
    import regex

    return regex.compile(r"\X")
