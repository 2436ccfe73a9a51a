"""The text to speak: words of the command line, a file, or standard input."""

import argparse
import os
import sys
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 2**25
"""Longest text that is read; a pipeline speaks a million characters, which are four million bytes at most."""


def text_of(options: argparse.Namespace) -> str:
    """
    Read the text of the verb `speak`.

    Raises:
        ValueError: if there is none, two are given, or one is not UTF-8 or too long to be a text.
        OSError: for a file that cannot be read.
    """
    if options.text and options.input is not None:
        raise ValueError("A text and --input are both given; give one of them.")
    if options.text:
        text = " ".join(options.text)
        _check_encoding(text)
        _warn_of_file(text)
    elif options.input in (None, "-"):
        text = _standard_input()
    else:
        text = _file(Path(options.input).expanduser())
    if not text.strip():
        raise ValueError("There is no text to speak; give it as an argument, with --input, or on standard input.")
    return text


def _check_encoding(text: str) -> None:
    """Bytes of an argument that the terminal's encoding does not know reach Python as surrogates."""
    lost = [character for character in text if "\udc80" <= character <= "\udcff"]
    if lost:
        raise ValueError(
            f"The text is not in {sys.getfilesystemencoding()}, as this terminal has it: {len(lost)} of its bytes "
            "are no characters. Give it in a UTF-8 file, with --input."
        )


def _warn_of_file(text: str) -> None:
    """Somebody who gives the name of a text wants to hear what is in it."""
    if Path(text).suffix and len(text) < 256 and "\0" not in text and os.path.isfile(text):
        print(f"The name {text!r} is spoken; for the text in that file, give --input before it.", file=sys.stderr)


def _standard_input() -> str:
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        print("Type the text to speak, and end it with Ctrl-D on a line of its own.", file=sys.stderr)
    stream = getattr(sys.stdin, "buffer", None)
    return sys.stdin.read() if stream is None else _decoded(stream, "The text on standard input")


def _file(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}; --input takes the name of a text file, or - .")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; --input takes a text file.")
    try:
        with path.open("rb") as stream:
            return _decoded(stream, str(path))
    except PermissionError as error:
        raise PermissionError(f"{path} may not be read by this user; give another file.") from error


def _decoded(stream: BinaryIO, name: str) -> str:
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{name} has more than {MOST_BYTES:,} bytes, which is no text to speak; give it in parts.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is not UTF-8 text ({error.reason} at byte {error.start}); convert it first."
        ) from error
