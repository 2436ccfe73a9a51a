"""Text with the span of each character in the original text."""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

Span = tuple[int, int]


class TextWithOffsets:
    """A string and, optionally, the (start, end) span in the original text of each of its characters.

    Every method returns a new text. With `spans=None` the methods are plain string operations, so that one
    implementation of a front end works with and without offsets.
    """

    __slots__ = ("spans", "text")

    def __init__(self, text: str, spans: list[Span] | None):
        self.text = text
        self.spans = spans

    @classmethod
    def original(cls, text: str, track: bool) -> "TextWithOffsets":
        """Return a text of which each character spans itself."""
        return cls(text, [(i, i + 1) for i in range(len(text))] if track else None)

    @classmethod
    def join(cls, parts: Iterable["TextWithOffsets"], track: bool) -> "TextWithOffsets":
        """Concatenate texts."""
        parts = list(parts)
        spans = [span for part in parts for span in part.spans] if track else None
        return cls("".join(part.text for part in parts), spans)

    def slice(self, start: int, end: int) -> "TextWithOffsets":
        """Return characters start to end."""
        return TextWithOffsets(self.text[start:end], None if self.spans is None else self.spans[start:end])

    def span(self, start: int, end: int) -> Span:
        """Return the original span of characters start to end; of an empty range, an empty span at its place."""
        if start < end:
            return self.spans[start][0], self.spans[end - 1][1]
        if start < len(self.spans):
            return (self.spans[start][0],) * 2
        return (self.spans[-1][1],) * 2 if self.spans else (0, 0)

    def lower(self) -> "TextWithOffsets":
        """Convert to lower case as `str.lower`; one letter may become two."""
        return self._rewritten(self.text.lower(), str.lower)

    def map(self, function: Callable[[str], str]) -> "TextWithOffsets":
        """Replace each character by `function(character)`, a string of any length."""
        return self._rewritten("".join(map(function, self.text)), function)

    def _rewritten(self, text: str, function: Callable[[str], str]) -> "TextWithOffsets":
        if self.spans is None:
            return TextWithOffsets(text, None)
        pairs = zip(self.text, self.spans, strict=True)
        return TextWithOffsets(text, [span for character, span in pairs for _ in function(character)])

    def substitute(self, pattern: re.Pattern, replacement: Callable[[re.Match], str]) -> "TextWithOffsets":
        """Replace every match; the characters of a replacement span the whole match."""
        if self.spans is None:
            return TextWithOffsets(pattern.sub(replacement, self.text), None)
        parts, position = [], 0
        for match in pattern.finditer(self.text):
            new = replacement(match)
            parts += [self.slice(position, match.start()), TextWithOffsets(new, [self.span(*match.span())] * len(new))]
            position = match.end()
        return TextWithOffsets.join([*parts, self.slice(position, len(self.text))], track=True)

    def unicode_form(self, form: str) -> "TextWithOffsets":
        """Apply a Unicode normalization form; a base letter and its combining marks have one span."""
        text = unicodedata.normalize(form, self.text)
        if self.spans is None or text == self.text:
            return TextWithOffsets(text, self.spans)
        parts = []
        for start, end in clusters(self.text):
            new = unicodedata.normalize(form, self.text[start:end])
            parts.append(TextWithOffsets(new, [self.span(start, end)] * len(new)))
        whole = TextWithOffsets.join(parts, track=True)
        if whole.text == text:
            return whole
        # A composition crossed two clusters, so only the span of the whole text is certain.
        return TextWithOffsets(text, [self.span(0, len(self.text))] * len(text))

    def composed(self) -> "TextWithOffsets":
        """Compose letters and their marks (NFC), but keep single characters: U+037E stays a Greek question mark."""
        if self.text.isascii() or unicodedata.is_normalized("NFC", self.text):
            return self
        parts = []
        for start, end in clusters(self.text):
            new = unicodedata.normalize("NFC", self.text[start:end]) if end - start > 1 else self.text[start]
            spans = None if self.spans is None else [self.span(start, end)] * len(new)
            parts.append(self.slice(start, end) if new == self.text[start:end] else TextWithOffsets(new, spans))
        return TextWithOffsets.join(parts, self.spans is not None)

    def strip(self) -> "TextWithOffsets":
        """Remove white space at both ends."""
        start = len(self.text) - len(self.text.lstrip())
        return self.slice(start, start + len(self.text.strip()))

    def keep(self, known: frozenset[str]) -> tuple["TextWithOffsets", Counter]:
        """Remove all but the known characters, and count those removed."""
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
    """Return the spans of extended grapheme clusters: a letter with its marks, the jamo of a Hangul syllable."""
    return (match.span() for match in _cluster().finditer(text))


@functools.cache
def _cluster():
    import regex  # imported at the first text that needs it

    return regex.compile(r"\X")
