"""Write folders whole or not at all."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hf_vits.utils.atomic_file import FORMER, PARTIAL, check_folder, new_folder_beside, storage_errors

LAST = "config.json"
"""The file without which a folder does not load; it is moved last."""


@contextmanager
def new_folder(directory: Path, overwrite: bool = False) -> Iterator[Path]:
    """
    Yield a temporary folder, which becomes `directory` when the block ends without an error.

    Args:
        directory (`Path`):
            The folder to make, with its parents. An existing empty folder is filled and keeps its owner and mode: it
            may be a mount point, or the current folder of a shell.
        overwrite (`bool`, *optional*, defaults to `False`):
            Replace a folder that is not empty, with everything in it.

    Raises:
        FileExistsError: if `directory` is a file, or holds anything and `overwrite` is not set.
        ValueError: if that would remove the current folder.
        OSError: if it cannot be written; names the folder and the cause.
    """
    refuse_existing(directory, overwrite)
    filled = directory.is_dir() and not any(directory.iterdir())
    parent = directory if filled else directory.parent  # of the same file system, so that renaming works
    with storage_errors(directory, every=True):
        parent.mkdir(parents=True, exist_ok=True)
        staged = new_folder_beside(parent / directory.name, PARTIAL)
    try:
        with storage_errors(directory):
            yield staged
        with storage_errors(directory, every=True):
            _set_usual_permissions(staged)
            if filled:
                _fill(staged, directory)
            else:
                _put_in_place(staged, directory, overwrite)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


@contextmanager
def new_files(directory: Path) -> Iterator[Path]:
    """
    Yield a temporary folder, whose files are moved into `directory` when the block ends without an error.

    Other files of `directory` stay. Each file is replaced whole or not at all, and config.json comes last.

    Args:
        directory (`Path`):
            The folder, which is created if it does not exist.

    Raises:
        FileExistsError: if `directory` is a file.
        OSError: if it cannot be written; names the folder and the cause.
    """
    blocking = next((place for place in (directory, *directory.parents) if place.exists() and not place.is_dir()), None)
    if blocking is not None:
        raise FileExistsError(f"{blocking} is a file; give the name of a folder.")
    with storage_errors(directory, every=True):
        directory.mkdir(parents=True, exist_ok=True)
        check_folder(directory)
        staged = new_folder_beside(directory / directory.name, PARTIAL)
    try:
        with storage_errors(directory):
            yield staged
        with storage_errors(directory, every=True):
            _set_usual_permissions(staged)
            files = [file for file in staged.rglob("*") if not file.is_dir()]
            for file in sorted(files, key=lambda file: file.name == LAST):
                target = directory / file.relative_to(staged)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def destination(directory: str | Path) -> Path:
    """Return the absolute path of a folder; raise `ValueError` for an empty name, as of an unset shell variable."""
    if not str(directory):
        raise ValueError("The name of the folder to make is empty; give one.")
    return Path(os.path.realpath(Path(directory).expanduser()))


def refuse_losing(directory: str | Path, source: str | Path) -> None:
    """Raise `ValueError` if replacing `directory` would remove `source`."""
    directory, source = destination(directory), destination(source)
    if source.exists() and (directory == source or directory in source.parents):
        raise ValueError(f"{directory} holds {source}, the source; give another folder to write to.")


def refuse_existing(directory: Path, overwrite: bool = False) -> None:
    """Raise the errors of `new_folder`, for callers that check before long work."""
    blocking = next((place for place in (directory, *directory.parents) if place.exists() and not place.is_dir()), None)
    if blocking is not None:
        raise FileExistsError(f"{blocking} is a file; give the name of a folder to make.")
    empty = directory.is_dir() and not any(directory.iterdir())
    check_folder(next(place for place in ((directory,) * empty + tuple(directory.parents)) if place.is_dir()))
    if not directory.is_dir() or empty:
        return
    if not overwrite:
        raise FileExistsError(
            f"{directory} exists and is not empty. Choose another folder, or pass `overwrite=True` (`--overwrite`) to "
            "replace it with everything in it."
        )
    if Path.cwd().is_relative_to(directory.resolve()):
        raise ValueError(
            f"{directory} is the current folder or holds it, and would be replaced with everything in it; give another "
            "folder."
        )


def _fill(staged: Path, directory: Path) -> None:
    """Move the files one by one; if one fails, remove those that were moved."""
    files, moved = sorted(staged.iterdir(), key=lambda file: (file.name == LAST, file.name)), []
    if any((directory / file.name).exists() for file in files):
        raise FileExistsError(_created_meanwhile(directory))
    try:
        for file in files:
            os.rename(file, directory / file.name)
            moved.append(directory / file.name)
    except BaseException:
        for file in reversed(moved):
            with suppress(OSError):
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        raise


def _put_in_place(staged: Path, directory: Path, overwrite: bool) -> None:
    """Rename `staged` to `directory`; remove the former folder after that, or restore it if renaming fails."""
    former = None
    if directory.is_dir() and overwrite:
        former = new_folder_beside(directory, FORMER)
        try:
            os.rename(directory, former / directory.name)
        except OSError:
            former.rmdir()
            raise
    try:
        os.rename(staged, directory)
    except OSError as error:
        if former is not None:
            os.rename(former / directory.name, directory)
            former.rmdir()
        if directory.exists():
            raise FileExistsError(_created_meanwhile(directory)) from error
        raise
    if former is not None:
        shutil.rmtree(former, ignore_errors=True)


def _created_meanwhile(directory: Path) -> str:
    return f"{directory} was created by another process meanwhile; it was not changed."


def _set_usual_permissions(folder: Path) -> None:
    """Give files the permissions of the umask, as the folder has them; safetensors restricts them to the owner."""
    usual = stat.S_IMODE(folder.stat().st_mode) & 0o666
    for file in folder.rglob("*"):
        if not file.is_dir():
            file.chmod(usual)
