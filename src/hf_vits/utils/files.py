"""Read files of unknown origin: only regular files, up to a limit, with errors that name them."""

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hf_vits.utils.formatting import quoted

LARGEST_TABLE = 20_000_000
"""Largest number of bytes of a JSON or text file; a configuration or vocabulary has thousands."""

DEEPEST_TABLE = 100
"""Most levels of a JSON file; a configuration has five. Copying and printing more can exhaust Python's stack."""


ADVICE = "Correct it, or fetch it again."


class UnreadableFile(ValueError):
    """
    An error about the content of a file.

    Args:
        message (`str`):
            The text of the error.
        kind (`str`, *optional*, defaults to `"damaged"`):
            `"damaged"`; `"unsafe"` if it refers to code, which was not run; `"oversized"` if it would take more memory
            than it has bytes; or `"no_tensors"` if it holds something other than a table of tensors.
    """

    def __init__(self, message: str, kind: str = "damaged"):
        super().__init__(message)
        self.kind = kind


def exists(file: str | Path) -> bool:
    """Return whether there is anything of that name, be it a link to nowhere."""
    return os.path.lexists(file)


def obstacle(file: Path) -> str:
    """Return why a path is not a file that can be read; empty if it is one."""
    try:
        mode = os.stat(file).st_mode
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        return f"cannot be opened ({getattr(error, 'strerror', None) or error})"
    if not stat.S_ISREG(mode):
        return "is a folder" if stat.S_ISDIR(mode) else "is not an ordinary file"
    return "" if os.access(file, os.R_OK) else "may not be read by this user"


def require_file(file: str | Path) -> Path:
    """
    Return the path if it is a regular file, or a link to one, that can be read.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: for a folder, a pipe, a device, a cycle of links, or a file that may not be read.
    """
    file = Path(file)
    if not (why := obstacle(file)):
        return file
    if not os.path.lexists(file):
        raise FileNotFoundError(f"There is no file {file}.")
    raise OSError(f"{file} {why}; a regular file that can be read is needed there. Fetch it again.")


def require_if_there(file: str | Path) -> None:
    """Raise `OSError` as `require_file` for anything but a regular file or nothing; some readers ignore such paths."""
    if os.path.lexists(file):
        require_file(file)


def read_bytes(file: str | Path, most: int = LARGEST_TABLE) -> bytes:
    """
    Read a whole file of at most `most` bytes.

    Raises:
        OSError: as `require_file`.
        ValueError: if it is longer.
    """
    file = require_file(file)
    # A pipe that replaces the file meanwhile would block a plain open.
    with open(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        data = stream.read(most + 1) if size <= most else b""
    if max(size, len(data)) > most:
        raise ValueError(f"{file} has {max(size, len(data)):,} bytes; at most {most:,} are read. Is it the right file?")
    return data


def read_text(file: str | Path, most: int = LARGEST_TABLE, encoding: str = "utf-8") -> str:
    """
    Read a text of at most `most` bytes, with line ends as they are.

    Raises:
        OSError: as `require_file`.
        ValueError: if it is longer, or not in that encoding.
    """
    try:
        return read_bytes(file, most).decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{file} is not UTF-8 ({error.reason} at byte {error.start}); fetch it again, or save it as UTF-8."
        ) from error


def read_json(file: str | Path, most: int = LARGEST_TABLE, pairs: Callable[[list], Any] | None = None) -> Any:
    """
    Read a JSON file in UTF-8, UTF-16 or UTF-32.

    Args:
        file (`str` or `Path`):
            The file.
        most (`int`, *optional*):
            Largest number of bytes.
        pairs (`Callable`, *optional*):
            Makes an object of a list of its names and values, as `object_pairs_hook` of `json.loads`.

    Raises:
        OSError: as `require_file`.
        ValueError: if it is longer, not JSON, or nested more than 100 levels deep.
    """
    data = read_bytes(file, most)
    try:
        value = json.loads(data, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:  # neither text nor JSON, or nested too deeply
        raise ValueError(f"{file} is not JSON ({str(error)[:100]}); fetch it again.") from error
    if _is_deep(value):
        raise ValueError(f"{file} is nested more than {DEEPEST_TABLE} levels deep; fetch it again.")
    return value


def read_table(file: str | Path, most: int = LARGEST_TABLE) -> dict[str, Any]:
    """Read the object in a JSON file; errors are those of `read_json`, and a `ValueError` for any other value."""
    table = read_json(file, most)
    if not isinstance(table, dict):
        raise ValueError(f"{file} must hold one JSON object, and this is a {type(table).__name__}; fetch it again.")
    return table


def check_name(name: Any, named_in: str | Path) -> str:
    """Return the name of a file that another file contains; raises `ValueError` unless it is one part of a path."""
    if isinstance(name, str) and re.fullmatch(r"[^/\\\0]{1,255}", name) and name not in (".", ".."):
        return name
    raise ValueError(
        f"{named_in} names the file {quoted(name)}, which is not a name of a file in its folder; nothing was "
        "opened. Fetch it again, and do not trust it."
    )


def member(folder: str | Path, name: Any, named_in: str | Path) -> Path:
    """
    Return the path of a regular file in a folder that another file there names.

    The name must be one part of a path, and a symbolic link must lead to a file in the folder or, in the cache of the
    Hub, to one of the same repository.

    Raises:
        FileNotFoundError: if it does not exist.
        OSError: as `require_file`.
        ValueError: if the name leads out of the folder; nothing is opened then.
    """
    check_name(name, named_in)
    file = Path(folder) / name
    if not os.path.lexists(file):
        raise FileNotFoundError(f"{file} is missing, which {Path(named_in).name} lists among its files. Fetch it too.")
    require_file(file)
    real = Path(os.path.realpath(file))  # `Path.resolve` raises a RuntimeError for a cycle of links
    if not any(real.is_relative_to(root) for root in roots(Path(os.path.realpath(folder)))):
        raise ValueError(
            f"{file}, which {Path(named_in).name} names, is a link to {real}, outside of its folder; it was "
            "not opened. If you trust it, copy the file into the folder."
        )
    return file


def roots(folder: Path) -> list[Path]:
    """Return where links in a folder may lead: the folder and, in the Hub's cache, the files of its repository."""
    snapshots = next((parent for parent in folder.parents if parent.name == "snapshots"), None)
    return [folder] if snapshots is None else [folder, snapshots.parent / "blobs"]


@contextmanager
def named_in_errors(what: str, place: str | Path) -> Iterator[None]:
    """
    Turn any error of a reader within the context into a `ValueError` that names what is read.

    Args:
        what (`str`):
            What is read, for errors that do not name it.
        place (`str` or `Path`):
            The folder, or its name on the Hub; errors that contain it are raised unchanged.

    Raises:
        ValueError: for any error but an `OSError` or `ImportError`, which say by themselves what is missing.
    """
    try:
        yield
    except (OSError, ImportError):
        raise
    except ValueError as error:
        if type(error) in (ValueError, UnreadableFile) and str(place) in str(error):
            raise
        raise ValueError(f"{what} cannot be used. {_brief(error)} {ADVICE}") from error
    except Exception as error:  # libraries fail in any way on values of other types
        kind = "" if isinstance(error.__cause__, TypeError | ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{what} cannot be used. {kind}{_brief(error.__cause__ or error)} {ADVICE}") from error


def _brief(error: BaseException) -> str:
    """Return the error in one line of limited length."""
    words = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split())
    words = words if len(words) <= 1000 else words[:1000] + "…"
    return words if words.endswith((".", "…")) else words + "."


def _is_deep(value: Any) -> bool:
    """Return whether lists and tables are nested beyond `DEEPEST_TABLE`, without recursion."""
    level = [value]
    for _ in range(DEEPEST_TABLE):
        inner = [list(part.values()) if isinstance(part, dict) else part for part in level]
        level = [item for part in inner if isinstance(part, list) for item in part if isinstance(item, list | dict)]
        if not level:
            return False
    return True
