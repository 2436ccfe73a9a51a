"""Read the text to speak: words of the command line, a file, or standard input."""

import argparse
import os
import sys
from pathlib import Path
from typing import BinaryIO

from hf_vits.documents import is_document, read_document

NOTHING = "There is no text to speak; give it as an argument, with --input, or on standard input."

MAX_BYTES = 2**25
"""Largest text that is read; a pipeline takes a million characters, which are at most four million bytes."""


def read_text_argument(options: argparse.Namespace) -> str:
    """
    Read the text of the verb `speak`.

    Raises:
        ValueError: if there is no text or two, or if it is not UTF-8 or too long.
        OSError: for a file that cannot be read.
    """
    if options.text and options.input is not None:
        raise ValueError("A text and --input are both given; give one of them.")
    if options.text:
        text = " ".join(options.text)
        _check_encoding(text)
        _warn_of_file_name(text)
    elif options.input in (None, "-"):
        text = _standard_input()
    else:
        text = text_of_file(Path(options.input).expanduser())
    if not text.strip():
        raise ValueError(NOTHING)
    return text


def _check_encoding(text: str) -> None:
    """Raise `ValueError` for bytes that the terminal's encoding lacks, which reach Python as surrogates."""
    lost = [character for character in text if "\udc80" <= character <= "\udcff"]
    if lost:
        raise ValueError(
            f"The text is not in this terminal's encoding, {sys.getfilesystemencoding()}: {len(lost)} of its bytes are "
            "not characters. Give it in a UTF-8 file, with --input."
        )


def _warn_of_file_name(text: str) -> None:
    """Warn if the text is the name of a file, whose content was probably meant."""
    if Path(text).suffix and len(text) < 256 and "\0" not in text and os.path.isfile(text):
        print(f"This speaks the name {text!r}; to speak the text in that file, use --input.", file=sys.stderr)


def _standard_input() -> str:
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        print("Type the text to speak; end it with Ctrl-D on its own line.", file=sys.stderr)
    stream = getattr(sys.stdin, "buffer", None)
    return sys.stdin.read() if stream is None else _decoded(stream, "The text on standard input")


def text_of_file(path: Path) -> str:
    """Return the text of a file; errors as of `read_text_argument`."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}; --input takes a text file, or - for standard input.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; --input takes a text file.")
    try:
        if is_document(path):
            return _spoken(path)
        with path.open("rb") as stream:
            return _decoded(stream, str(path))
    except PermissionError as error:
        raise PermissionError(f"{path} is not readable by this user; give another file.") from error


def _spoken(path: Path) -> str:
    """Return what is spoken of a document, and print what is not."""
    document = read_document(path)
    if document.omitted:
        print(f"{path}: {' and '.join(document.omitted)} left out.", file=sys.stderr)
    return document.text


def _decoded(stream: BinaryIO, name: str) -> str:
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{name} has more than {MAX_BYTES:,} bytes, which is too much for one text; give it in parts.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is not UTF-8 text ({error.reason} at byte {error.start}); convert it first."
        ) from error
