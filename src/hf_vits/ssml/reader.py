"""Collect what an SSML document says from its elements, one after another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hf_vits.prosody.script import Block, Event, Pause, Script, Style
from hf_vits.ssml.values import SsmlError
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.utils.registry import Registry

ELEMENTS: Registry = Registry("SSML element")
"""Elements by name: functions of a [`Reader`] and the attributes that set `style`, `arguments`, or emit something. They
may return a function of the element's text, which is called at its end in place of speaking that text."""

MAX_TOTAL_PAUSE = 3600.0
"""Seconds of all breaks of a document."""

_SILENT_ATTRIBUTES = ("xmlns", "xml:base", "xml:id", "xsi:schemaLocation", "id")


@dataclass(frozen=True)
class VoiceTraits:
    """
    The abilities of a voice.

    Args:
        language (`str`, *optional*):
            Its language as an ISO code or espeak voice.
        reads_phonemes (`bool`, *optional*, defaults to `False`):
            True if its tokenizer takes phonemes in `[[ ]]`.
        speakers, languages (`list[str]`, *optional*):
            Names of those of a model of several.
        num_speakers (`int`, *optional*, defaults to 1):
            How many there are; those without a name have a number.
    """

    language: str | None = None
    reads_phonemes: bool = False
    speakers: Sequence[str] = ()
    languages: Sequence[str] = ()
    num_speakers: int = 1


@dataclass
class _Open:
    """An element that has not ended, with what is restored at its end."""

    name: str
    style: Style
    arguments: dict[str, Any]
    language: str | None
    capture: Callable[[str], None] | None = None
    captured: list[str] = field(default_factory=list)
    at_end: Callable[[], None] | None = None


class Reader:
    """
    The state of parsing a document.

    Args:
        voice ([`VoiceTraits`]):
            What the voice can do.
    """

    def __init__(self, voice: VoiceTraits):
        self.voice, self.line = voice, 1
        self.style, self.arguments, self.language = Style(), {}, voice.language
        self.ignored: dict[str, int] = {}  # with the line of the first of each
        self._content: list[str] = []
        self.length = 0  # of the content so far
        self.letters = 0  # and digits to speak
        self._blocks: list[Block] = []
        self._open: list[_Open] = []
        self.pauses = 0.0  # seconds of all breaks so far
        self._new_block()

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        prefix, _, local = name.rpartition(":")
        if not self._open:
            if local != "speak":
                raise SsmlError(f"The root is <{name}>; it must be <speak>.")
            self._prefix = prefix
        known = local if prefix == self._prefix else name
        element = _Open(name, self.style, self.arguments, self.language)
        is_nested_capture = any(one.capture for one in self._open)
        self._open.append(element)
        if known == "speak" and len(self._open) > 1:
            self.ignore(f"<{name}> within another one, but for its text")
        elif is_nested_capture:
            self.ignore(f"<{name}> within <{self._open[-2].name}>, but for its text")
        elif known in ELEMENTS:
            element.capture = ELEMENTS[known](self, _Attributes(self, name, attributes))
        else:
            self.ignore(f"<{name}>, but for its text")

    def end(self) -> None:
        """End the innermost element."""
        element = self._open.pop()
        if element.capture:
            element.capture("".join(element.captured))
        if element.at_end:
            element.at_end()
        self.set_arguments(element.arguments)
        self.style, self.language = element.style, element.language

    def text(self, text: str) -> None:
        """Add text of the innermost element."""
        capturing = next((element for element in reversed(self._open) if element.capture), None)
        if capturing:
            capturing.captured.append(text)
        else:
            self.say(text)

    def say(self, written: str, spoken: str | None = None) -> None:
        """Add text to the content, and what is spoken for it, by default itself; white space is collapsed."""
        if spoken is not None:
            written = " ".join(written.split())
            self._write(written)
            span = (self.length - len(written), self.length)
            self._speak(spoken, [span] * len(spoken))
            return
        for word in _words_and_spaces(written):
            if word == " " and (not self._content or self._content[-1][-1:].isspace()):
                if self._spoken and not self._spoken[-1][-1:].isspace():  # after an alias for nothing
                    self._speak(word, [(self.length, self.length)])
                continue
            self._write(word)
            first = self.length - len(word)
            self._speak(word, [(first + i, first + i + 1) for i in range(len(word))])

    def _write(self, text: str) -> None:
        if text:
            self._content.append(text)
            self.length += len(text)

    def _speak(self, text: str, spans: list) -> None:
        self._spoken.append(text)
        self.letters += sum(map(str.isalnum, text))
        self._spans += spans
        self._styles += [self.style] * len(text)

    def event(self, event: Event) -> None:
        """Add a pause or a mark."""
        if isinstance(event, Pause):
            self.pauses += event.seconds
            if self.pauses > MAX_TOTAL_PAUSE:
                raise SsmlError(f"The breaks of the document last more than {MAX_TOTAL_PAUSE:g} s together.")
        self._events.append((len(self._spans), event))

    def boundary(self) -> None:
        """End a sentence, here and where the innermost element ends."""
        self._end_block()
        self.at_end(self._end_block)

    def at_end(self, function: Callable[[], None]) -> None:
        """Call a function where the innermost element ends."""
        self._open[-1].at_end = function

    def set_arguments(self, arguments: dict[str, Any]) -> None:
        """Set the speaker and the language of what follows, which is a new sentence if they differ."""
        if arguments != self.arguments:
            self._end_block()
            self.arguments = self._block_arguments = arguments

    def ignore(self, what: str) -> None:
        """Report something that has no effect."""
        self.ignored.setdefault(what, self.line)

    def _new_block(self) -> None:
        self._spoken, self._spans, self._styles, self._events = [], [], [], []
        self._block_arguments = self.arguments

    def _end_block(self) -> None:
        if self._spans or self._events:
            text = TextWithOffsets("".join(self._spoken), self._spans)
            self._blocks.append(Block(text, self._styles, self._events, self._block_arguments))
        if self._content and not self._content[-1][-1:].isspace():
            self._write(" ")
        self._new_block()

    def script(self) -> Script:
        """Return what was read."""
        self._end_block()
        ignored = [f"{what} (line {line})" for what, line in self.ignored.items()]
        return Script("".join(self._content).rstrip(), self._blocks, ignored)


class _Attributes:
    """The attributes of an element; those that no one asks for are reported."""

    def __init__(self, reader: Reader, element: str, given: Mapping[str, str]):
        self._reader, self._element = reader, element
        self._given = {name: value for name, value in given.items() if not name.startswith(_SILENT_ATTRIBUTES)}

    def take(self, *names: str) -> list[str | None]:
        """Return the values of attributes, None for those that are not given; report all others."""
        for name in self._given.keys() - set(names):
            self._reader.ignore(f"`{name}` of <{self._element}>")
        return [self._given.get(name) for name in names]

    def skip(self) -> None:
        """Report the element."""
        self._reader.ignore(f"<{self._element}>")

    def need(self, name: str, *others: str) -> list[str | None]:
        """Return the values of attributes, of which the first must be given."""
        values = self.take(name, *others)
        if values[0] is None:
            raise SsmlError(f"<{self._element}> has no `{name}`; give it.")
        return values


def _words_and_spaces(text: str) -> list[str]:
    """Return the words of a text, and a space for each white space between, before and after them."""
    words = text.split()
    out = [part for word in words for part in (word, " ")]
    if words and not text[-1].isspace():
        out.pop()
    return [" ", *out] if text[:1].isspace() else out
