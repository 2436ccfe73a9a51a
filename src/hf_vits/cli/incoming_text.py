"""Speak a text on standard input while it is being written: the answer of a language model, or lines of a log."""

import codecs
import select
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from hf_vits.cli.input_text import NOTHING
from hf_vits.text.errors import NoTokensError
from hf_vits.text.sentence_stream import SentenceStream

if TYPE_CHECKING:
    from hf_vits.pipeline import TextToSpeechPipeline

QUIET = 0.3
"""Seconds without further input after which the last line is complete. Until then the next one may continue it."""


def incoming_text() -> BinaryIO | None:
    """Return standard input if it is read while it is written; None if it is not a stream of bytes."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is not None and stream.isatty():
        print("Type what to speak, line by line; end it with Ctrl-D on its own line.", file=sys.stderr)
    return stream if hasattr(stream, "read1") else None


def sentences_of(stream: BinaryIO, language: str | None) -> Iterator[str]:
    """
    Yield each sentence as soon as it is complete: with the first word after it, or with the end of its line if nothing
    follows for a moment.

    Raises:
        ValueError: for bytes that are not UTF-8.
    """
    sentences = SentenceStream(language)
    for text in _decoded(stream):
        if text:
            yield from sentences.add(text)
        elif not sentences.is_document:  # whose lines belong together
            yield from sentences.finish()
    yield from sentences.finish()


def _decoded(stream: BinaryIO) -> Iterator[str]:
    """Yield characters as they come, and an empty text after a line that nothing follows for a moment."""
    decoder, count, text = codecs.getincrementaldecoder("utf-8-sig")(), 0, ""
    while True:
        if text.endswith("\n") and not _has_more(stream):
            yield ""
        content = stream.read1(2**16)
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(content, final=not content)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"The text on standard input is not UTF-8 ({error.reason} at byte {count - pending + error.start}); "
                "convert it first."
            ) from error
        count += len(content)
        if text:
            yield text
        if not content:
            return


def _has_more(stream: BinaryIO) -> bool:
    """Return True if there is further input, or its end, within a moment, or if that cannot be known."""
    try:
        return bool(select.select([stream], [], [], QUIET)[0])
    except (OSError, ValueError):  # Windows has it for sockets alone; a stream in memory has no file
        return True


def stream_sentences(
    pipe: "TextToSpeechPipeline", sentences: Iterator[str], pause: float = 0.0, **options: Any
) -> Iterator[dict[str, Any]]:
    """
    Speak sentences as they come: the chunks of `pipe.stream` for each, with the samples before it as `"later"`.

    Raises:
        ValueError: as `pipe.stream`; and at the end, if there was nothing to speak.
    """
    silence, error, number, samples = np.zeros(round(pause * pipe.sampling_rate), np.float32), None, 0, 0
    for sentence in sentences:
        later = samples + (len(silence) if number else 0)
        try:
            for place, chunk in enumerate(pipe.stream(sentence, **options)):
                if place == 0 and later > samples:
                    yield {"audio": silence, "sentence": number}
                yield {**chunk, "sentence": number, "later": later}
                samples = (later if place == 0 else samples) + len(chunk["audio"])
        except NoTokensError as raised:  # such as a line of asterisks
            error = raised
            continue
        number += 1
    if number == 0:
        raise error or ValueError(NOTHING)
