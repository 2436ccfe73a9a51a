"""Write files whole or not at all, and explain errors of the file system."""

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG, errno.EROFS}
"""Error numbers that only writing can cause."""

PARTIAL, FORMER = ".partial", ".former"
"""Suffixes of temporary names: of new files and folders, and of those that are replaced."""

KEPT_OF_NAME = 40
"""Characters of a name in its temporary name; more could exceed the limit of the file system."""

PROBE = bytes(2**16)
"""Bytes that are written to find the cause of a library's error."""


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """
    Yield the name of an empty temporary file, which replaces `path` when the block ends without an error.

    Each writer has its own name, so several may write one path; the last to finish wins. A FIFO or device is written
    to instead of being replaced, and of a symbolic link the target is replaced. Permissions are those of the replaced
    file, or the usual ones.

    Args:
        path (`str` or `Path`):
            The file to write, in an existing folder.

    Raises:
        OSError: if it cannot be written; names the folder and the cause.
    """
    path = Path(path)
    with storage_errors(path, every=True):
        check_writable(path)
    if is_special(path):
        with _staged_for(path) as staged:
            yield staged
        return
    target = Path(os.path.realpath(path))
    with storage_errors(path, every=True):
        staged = _unused(target, PARTIAL, _make_file)
    try:
        with storage_errors(path):
            yield staged
        with storage_errors(path, every=True):
            staged.chmod(stat.S_IMODE(target.stat().st_mode) if target.exists() else _usual_mode(staged))
            os.replace(staged, target)
    finally:
        staged.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise the errors of `new_file`, for callers that check before long work."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; name a file.")
    if is_special(path):
        return
    target = Path(os.path.realpath(path))
    if not os.path.isdir(target.parent):
        raise FileNotFoundError(f"There is no folder {target.parent}; make it, or write elsewhere.")
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise PermissionError(f"{path} is write-protected; write elsewhere, or change its permissions.")
    check_folder(target.parent)


def check_folder(folder: Path) -> None:
    """Raise `PermissionError` if an existing folder is not writable."""
    if os.access(folder, os.W_OK | os.X_OK):
        return
    read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
    raise _described(errno.EROFS if read_only else errno.EACCES, folder)


def is_special(path: Path) -> bool:
    """Return True for a FIFO, a device or a socket."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def new_folder_beside(target: Path, end: str) -> Path:
    """Create an empty folder with an unused name beside `target`, with the usual permissions."""
    return _unused(target, end, os.mkdir)


@contextmanager
def storage_errors(place: str | Path, every: bool = False) -> Iterator[None]:
    """
    Convert errors of the file system, raised by any library, to an `OSError` that names the folder and the cause.

    Args:
        place (`str` or `Path`):
            The file or folder that is being written.
        every (`bool`, *optional*, defaults to `False`):
            Convert every `OSError`. Otherwise only those that reading cannot cause: no space, no quota, a file too
            large, a read-only file system.
    """
    try:
        yield
    except Exception as error:
        number = _number(error, Path(place), every)
        if number is None:
            raise
        raise _described(number, _where(error, Path(place))) from error


def _number(error: Exception, place: Path, every: bool) -> int | None:
    """Return the error number of the file system behind an error; `None` for others and those described already."""
    text = str(error)
    if isinstance(error, OSError) and error.errno is not None:
        described = error.strerror is None
        return error.errno if not described and (every or error.errno in FULL) else None
    if isinstance(error, OSError) and type(error) is not OSError:
        return None  # described already
    causes = [cause for cause in (error.__cause__, error.__context__) if isinstance(cause, OSError) and cause.errno]
    stated = [int(number) for number in re.findall(r"\(os error (\d+)\)", text)]
    named = [number for number in FULL if os.strerror(number) in text]
    for number in (*(cause.errno for cause in causes), *stated, *named):
        if number in FULL:
            return number
    # PyTorch says "unexpected pos 576 vs 534" and NumPy "1000 requested and 64 written" when a disk is full.
    return _refused(place) if isinstance(error, RuntimeError | OSError) else None


def _refused(place: Path) -> int | None:
    """Return the error number of writing to the disk of a place; `None` if it works."""
    try:
        with tempfile.TemporaryFile(dir=_folder_of(place), buffering=0) as file:
            return None if file.write(PROBE) == len(PROBE) else errno.ENOSPC
    except OSError as error:
        return error.errno if error.errno in FULL else None


def _where(error: Exception, place: Path) -> Path:
    """Return the place that was written, or the folder of the error's file, if that is elsewhere."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str) or not os.path.isabs(name):
        return place
    folder = _folder_of(place)
    return place if Path(name).is_relative_to(folder) else Path(name).parent


def _described(number: int, place: Path) -> OSError:
    """Return an error of Python's class for a number, with a message that says what to do."""
    if is_special(place):
        message = f"{place} could not be written to: {os.strerror(number)}."
    else:
        folder = _folder_of(place)
        message = _REASONS.get(number, lambda folder: f"{place} could not be written: {os.strerror(number)}.")(folder)
    error = type(OSError(number, ""))(message)
    error.errno = number
    return error


def _folder_of(place: Path) -> Path:
    """Return the nearest existing folder at or above a place, except temporary ones."""
    place = place.absolute()
    staged = [part for part in (place, *place.parents) if part.name.startswith(".") and part.name.endswith(PARTIAL)]
    place = staged[-1].parent if staged else place
    return next((folder for folder in (place, *place.parents) if os.path.isdir(folder)), Path(place.anchor))


def _full(folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    left = f"{free / 1e6:.1f} MB are free"
    if hasattr(os, "statvfs") and os.statvfs(folder).f_files and not os.statvfs(folder).f_favail:
        left = "no more files are allowed"
    return f"No space is left on the disk of the folder {folder} ({left}). Make room there, or write elsewhere."


_REASONS: dict[int, Callable[[Path], str]] = {
    errno.ENOSPC: _full,
    errno.EROFS: lambda folder: f"The folder {folder} is on a read-only file system; write elsewhere.",
    errno.EACCES: lambda folder: f"The folder {folder} is not writable; write elsewhere.",
    errno.EPERM: lambda folder: f"The folder {folder} is not writable; write elsewhere.",
    errno.EFBIG: lambda folder: f"A file in the folder {folder} would be larger than its disk or a limit allows.",
}
if hasattr(errno, "EDQUOT"):
    _REASONS[errno.EDQUOT] = lambda folder: f"The disk quota for the folder {folder} is used up; make room there."


def _unused(target: Path, end: str, make: Callable[[Path], object]) -> Path:
    """Call `make` with a random name beside `target`, again while the name exists; return the name."""
    while True:
        name = target.with_name(f".{target.name[:KEPT_OF_NAME]}.{secrets.token_hex(4)}{end}")
        try:
            make(name)
        except FileExistsError:
            continue
        return name


def _make_file(name: Path) -> None:
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # O_EXCL follows no link


def _usual_mode(file: Path) -> int:
    """Return the permissions of a file that `open` creates; reading the umask itself would mean changing it."""
    return stat.S_IMODE(file.stat().st_mode) & 0o666


@contextmanager
def _staged_for(path: Path) -> Iterator[Path]:
    """Yield a temporary file whose bytes are then written to a FIFO or device, which blocks until it is read."""
    with tempfile.TemporaryDirectory(prefix="hf_vits-") as folder:
        staged = Path(folder) / "written"
        staged.touch()
        with storage_errors(folder):
            yield staged
        with storage_errors(path, every=True), staged.open("rb") as source, path.open("wb") as sink:
            shutil.copyfileobj(source, sink)
