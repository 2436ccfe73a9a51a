"""The message of an error that is no fault of the program: a caller's mistake, a full disk, a lost process."""

import errno
import os
import sys

from hf_vits.utils.atomic_file import FULL
from hf_vits.utils.distributed import ProcessFailed

EXPECTED = (ValueError, OSError, ImportError, FloatingPointError, ProcessFailed)
"""Errors of callers, disks, networks and other processes, which say what to do."""

PACKAGES = ("datasets", "huggingface_hub")
"""Packages whose own errors are expected as well: a name that does not exist, a file that cannot be read."""


def message_of(error: Exception, out_of_memory: str = "") -> str | None:
    """
    Return the message of an error, or `None` if its traceback is needed because the program is wrong.

    Args:
        error (`Exception`):
            Any error.
        out_of_memory (`str`, *optional*):
            What to do if memory does not suffice.
    """
    is_memory = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    package = type(error).__module__.split(".")[0]
    if not (isinstance(error, EXPECTED) or package in PACKAGES or is_memory):
        return None
    text = str(error) or type(error).__name__
    if "\nOriginal Traceback" in text:  # PyTorch writes it into errors of worker processes
        text = text.strip().rsplit("\n", 1)[-1].split(": ", 1)[-1]
    if is_memory:
        return f"{text.splitlines()[0]} {out_of_memory}".strip()
    if package == "datasets" and (cause := error.__cause__) is not None:  # the error itself says only what failed
        return f"{text} {type(cause).__name__}: {cause}"
    return _output_error(error) or text


def _output_error(error: Exception) -> str | None:
    """Return the message of an error of standard output: the only file whose errors come here without a name."""
    if not isinstance(error, OSError) or error.errno not in FULL | {errno.EIO, errno.EBADF}:
        return None
    if error.strerror is None or error.filename is not None:
        return None
    discard_output()
    return f"Standard output could not be written to: {error.strerror}."


def flush_output() -> None:
    """Write what was printed, unless the reader has closed the pipe."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        discard_output()


def discard_output() -> None:
    """Send standard output to nowhere, so that Python's flush at exit raises no second error."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
