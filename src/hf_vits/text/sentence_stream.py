"""Find the sentences of a text that arrives in chunks, such as that of a language model."""

import re
from collections.abc import Iterator

from hf_vits.text.paragraphs import ENDS
from hf_vits.text.sentence_splitter import split

_MAY_END = re.compile(rf"[{ENDS}\r\n\u2028\u2029\x0b\x0c\x85][\W_]*+")
# A digit, a complete word or the beginning of a long one: the splitter asks what follows a full stop.
_NEXT_WORD = re.compile(r"[\W_]*+(?:\d|[^\W\d_]++[\W\d_]|\w{40})")
_OPEN_BLOCK = re.compile(r"\[\[[^\[\]]*\]?\Z")
# A document of markup, such as SSML, and what may become one.
_DOCUMENT = re.compile(r"\ufeff?\s*+<(?:\?xml|!--|!DOCTYPE|(?:\w+:)?speak[\s>/])")
_UNDECIDED = re.compile(r"\ufeff?\s*+(?:<[^\s>]{0,40}+)?\Z")
_LONGEST_BLOCK = 1000
_CONTEXT = 1000
"""Characters before the next sentence that are kept: they decide what a line break after it means."""


class SentenceStream:
    """
    Collect a text in chunks, and return each sentence as soon as the first word after it is complete.

    The sentences are those of [`split`] for the whole text, except that what a line break means depends on
    the lines so far. A document of markup, such as SSML, is returned whole at its end.

    Args:
        language (`str`, *optional*):
            As for [`split`].
        max_characters (`int`, *optional*, defaults to 400):
            Maximum length of a sentence; longer ones are divided.

    Example:

    ```python
    >>> from hf_vits.text.sentence_stream import SentenceStream

    >>> stream = SentenceStream("en-us")
    >>> [stream.add(chunk) for chunk in ("Dr. Sm", "ith is here. Wh", "y does he", " wait?")]
    [[], [], ['Dr. Smith is here.'], []]
    >>> stream.finish()
    ['Why does he wait?']
    ```
    """

    def __init__(self, language: str | None = None, max_characters: int = 400):
        self.language, self.max_characters = language, max_characters
        self._start()

    def _start(self) -> None:
        self._is_document: bool | None = None  # until that is known
        self._text = ""  # the last sentences that were returned, and what follows
        self._returned = 0  # characters of it that are not white space and were returned
        self._end = 0  # of what was returned
        self._examined = 0  # up to the last mark after which a word was complete

    def add(self, text: str) -> list[str]:
        """Return the sentences that are complete with these characters."""
        self._text += text
        if self.is_document or (self._is_document is None and _UNDECIDED.match(self._text)):
            return []
        self._is_document = False
        if not self._has_next_word() and len(self._text) - self._end <= self.max_characters:
            return []
        places = [place for place, character in enumerate(self._text) if not character.isspace()]
        sentences = split(self._text, self.max_characters, self.language)
        ends = list(_counts(sentences))
        while ends and not self._is_settled(places[ends[-1] - 1] + 1):
            ends.pop()
        if not ends or ends[-1] <= self._returned:
            return []
        found = self._after_returned(sentences, ends)
        self._returned, self._end = ends[-1], places[ends[-1] - 1] + 1
        self._forget([0, *ends], places)
        return found

    def finish(self) -> list[str]:
        """Return the sentences that are left, and begin a new text."""
        if self.is_document:
            document = self._text
            self._start()
            return [document]
        sentences = split(self._text, self.max_characters, self.language)
        found = self._after_returned(sentences, list(_counts(sentences)))
        self._start()
        return found

    @property
    def is_document(self) -> bool:
        """True if the text so far begins as a document of markup."""
        if self._is_document is None and not _UNDECIDED.match(self._text):
            self._is_document = _DOCUMENT.match(self._text) is not None
        return bool(self._is_document)

    def _has_next_word(self) -> bool:
        """Return True if a word is complete after another mark, so that a sentence may have ended."""
        found = False
        for mark in _MAY_END.finditer(self._text, self._examined):
            if _NEXT_WORD.match(self._text, mark.end()):
                self._examined = mark.end()
                found = True
        return found

    def _is_settled(self, end: int) -> bool:
        """Return True if what may still come cannot change that a sentence ends here."""
        block = _OPEN_BLOCK.search(self._text, max(0, len(self._text) - _LONGEST_BLOCK))
        if block and block.start() < end:
            return False
        return len(self._text) - end > 4 * self.max_characters or _NEXT_WORD.match(self._text, end) is not None

    def _after_returned(self, sentences: list[str], ends: list[int]) -> list[str]:
        """Return the sentences, or the part of one, after the characters that were returned."""
        found, start = [], 0
        for sentence, end in zip(sentences, ends, strict=False):  # as many as there are ends
            places = [place for place, character in enumerate(sentence) if not character.isspace()]
            if end > self._returned:
                found.append(sentence[places[max(0, self._returned - start)] :])
            start = end
        return found

    def _forget(self, starts: list[int], places: list[int]) -> None:
        """Drop sentences that were returned, but for the last one and `_CONTEXT` characters."""
        dropped = max(start for start in starts[:-1] if start == 0 or self._end - places[start] >= _CONTEXT)
        place = places[dropped] if dropped else 0
        self._text, self._returned = self._text[place:], self._returned - dropped
        self._end, self._examined = self._end - place, max(0, self._examined - place)


def _counts(sentences: list[str]) -> Iterator[int]:
    """Yield the number of characters up to the end of each sentence that are not white space."""
    count = 0
    for sentence in sentences:
        count += len("".join(sentence.split()))
        yield count
