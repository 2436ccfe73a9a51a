"""Recognize and parse SSML: safely, without entities of the document, and within limits of size and depth."""

import re
from xml.parsers import expat

from hf_vits.prosody.script import Script
from hf_vits.ssml import elements  # noqa: F401 - it registers them
from hf_vits.ssml.reader import Reader, VoiceTraits
from hf_vits.ssml.values import SsmlError

MAX_CHARACTERS = 1_000_000
"""Longest document."""

MAX_DEPTH, MAX_ELEMENTS, MAX_ATTRIBUTE = 50, 50_000, 10_000
"""Most elements within each other, most in all, and the longest value of an attribute."""

_PROLOG = r"\ufeff?\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:[^-]|-(?!->))*+-->\s*+)*+"
_ROOT = r"<(?:\w+:)?speak[\s>/]"
_BEGINNING = re.compile(rf"{_PROLOG}(?:{_ROOT}|<!DOCTYPE\b.*{_ROOT})", re.DOTALL)


def is_ssml(text: str) -> bool:
    """
    Return True for a text that begins as an SSML document: with `<speak`, after an XML declaration, comments and
    a document type.

    Args:
        text (`str`):
            Any text. One that merely contains such a tag is no document.
    """
    return _BEGINNING.match(text) is not None


def read_ssml(document: str, voice: VoiceTraits | None = None) -> Script:
    """
    Return what an SSML document says, and how.

    Args:
        document (`str`):
            The document.
        voice ([`VoiceTraits`], *optional*):
            What the voice can do.

    Raises:
        SsmlError: a `ValueError`, for a document that is not well-formed, has a document type or entities of its own,
            exceeds a limit, or has an impossible value; names the line.

    Example:

    ```python
    >>> from hf_vits.ssml import read_ssml

    >>> read_ssml("<speak>Wait <break time='1s'/> <sub alias='for it'>4it</sub>.</speak>").content
    'Wait 4it.'
    ```
    """
    if len(document) > MAX_CHARACTERS:
        raise SsmlError(
            f"The document has {len(document):,} characters; one takes at most {MAX_CHARACTERS:,}. Divide it."
        )
    reader, parser = Reader(voice or VoiceTraits()), expat.ParserCreate("utf-8")
    limits = _Limits(reader, parser)
    parser.buffer_text, parser.ordered_attributes = True, True
    parser.StartDoctypeDeclHandler, parser.EntityDeclHandler = limits.refuse, limits.refuse
    parser.StartElementHandler, parser.EndElementHandler = limits.start, limits.end
    parser.CharacterDataHandler = reader.text
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(document.lstrip("\ufeff \t\r\n").encode("utf-8", "surrogatepass"), True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code] if error.code in expat.errors.messages else str(error)
        raise SsmlError(
            f"The document is not well-formed XML: {reason}, line {error.lineno}, column {error.offset + 1}. Write "
            "&lt; for < and &amp; for & within the text, and end each element."
        ) from None
    except SsmlError as error:
        raise SsmlError(f"Line {parser.CurrentLineNumber}: {error}") from error.__cause__
    return reader.script()


class _Limits:
    """Pass elements to a reader, within the limits."""

    def __init__(self, reader: Reader, parser):
        self.reader, self.parser = reader, parser
        self.depth = self.elements = 0

    def start(self, name: str, ordered: list[str]) -> None:
        """Begin an element."""
        self.depth, self.elements = self.depth + 1, self.elements + 1
        if self.depth > MAX_DEPTH:
            raise SsmlError(f"Elements are within each other more than {MAX_DEPTH} deep; end each element.")
        if self.elements > MAX_ELEMENTS:
            raise SsmlError(f"The document has more than {MAX_ELEMENTS:,} elements; divide it.")
        attributes = dict(zip(ordered[::2], ordered[1::2], strict=True))
        for attribute, value in attributes.items():
            if len(value) > MAX_ATTRIBUTE:
                raise SsmlError(
                    f"`{attribute[:60]}` has {len(value):,} characters; it may have {MAX_ATTRIBUTE:,} at most."
                )
        self.reader.line = self.parser.CurrentLineNumber
        self.reader.start(name, attributes)

    def end(self, name: str) -> None:
        """End an element."""
        self.depth -= 1
        self.reader.end()

    def refuse(self, *declaration: object) -> None:
        """Refuse a document type and entities, which could be expanded without end or read files."""
        raise SsmlError("A document type, with entities of the document, is refused; leave <!DOCTYPE …> out.")
