"""Lock a folder for one run; the system releases the lock when the process ends."""

import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from hf_vits.utils.atomic_file import check_folder, storage_errors

logger = logging.getLogger(__name__)

LOCK = ".run.lock"
"""The locked file, which is empty and stays. A JSON file beside it names the process that holds the lock."""


class FolderInUse(OSError):
    """Another run writes to the folder."""


@contextmanager
def run_lock(folder: Path, file: str | Path = LOCK) -> Iterator[None]:
    """
    Lock a folder for one run, and create it if it does not exist. Reading stays possible.

    Args:
        folder (`Path`):
            The folder that the run writes to.
        file (`str` or `Path`, *optional*):
            The file to lock, relative to the folder.

    Raises:
        FolderInUse: if another run holds the lock; names the folder and, if it is known, the process.
        OSError: if the folder cannot be made or written to.
    """
    from filelock import FileLock, Timeout

    file = folder / file
    check_output_folder(folder)
    lock, owner = FileLock(file, timeout=0), file.with_suffix(".json")
    try:
        with storage_errors(folder, every=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except Timeout as error:
        raise FolderInUse(
            f"Another run writes to {folder.absolute()}{_described(owner)}. Wait for it, stop it, or give another "
            "`output_dir`."
        ) from error
    except NotImplementedError:  # some network file systems
        logger.warning(f"The file system of {folder} has no locks: make sure that no other run writes there.")
        yield
        return
    try:
        _write_owner(owner)
        yield
    finally:
        with suppress(OSError):
            owner.unlink()
        lock.release()


def check_output_folder(folder: Path) -> None:
    """Raise the errors of writing to a folder, without creating anything."""
    places = (folder, *folder.absolute().parents)
    blocking = next((place for place in places if os.path.lexists(place) and not place.is_dir()), None)
    if blocking is not None:
        kind = "a broken link" if blocking.is_symlink() and not blocking.exists() else "a file"
        raise NotADirectoryError(f"{blocking} is {kind}; give the name of a folder as `output_dir`.")
    check_folder(next(place for place in places if place.is_dir()))


def _write_owner(file: Path) -> None:
    """Write which process holds the lock; a full disk is no error here, as the lock holds without it."""
    started = datetime.now().isoformat(" ", "seconds")
    with suppress(OSError):
        file.write_text(json.dumps({"process": os.getpid(), "host": socket.gethostname(), "started": started}))


def _described(file: Path) -> str:
    """Return which process holds the lock; an empty text if that is unknown."""
    try:
        owner = json.loads(file.read_text(encoding="utf-8"))
        return f": process {owner['process']} on {owner['host']}, since {owner['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
