"""Folders that are written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LAST = "config.json"
"""The file without which a folder does not load; it goes in when all others are there."""


@contextmanager
def new_folder(directory: Path, overwrite: bool = False) -> Iterator[Path]:
    """
    A temporary folder to write files to, which become `directory` when the context ends without an error.

    Args:
        directory (`Path`):
            The folder to make; its parents are made as well. One that exists and is empty keeps its owner, mode and
            place: it may be a mount point, or where a shell stands.
        overwrite (`bool`, *optional*, defaults to `False`):
            Whether a folder that is not empty may be replaced, with everything in it.

    Raises:
        FileExistsError: if `directory` is a file, or holds anything and `overwrite` is not set.
        ValueError: if all that the current folder holds would go with it.
    """
    refuse_existing(directory, overwrite)
    filled = directory.is_dir() and not any(directory.iterdir())
    parent = directory if filled else directory.parent  # where renaming stays within one file system
    parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".partial", dir=parent))
    try:
        yield staged
        _share(staged)
        if filled:
            _fill(staged, directory)
        else:
            _put_in_place(staged, directory, overwrite)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def destination(directory: str | Path) -> Path:
    """The whole path of a folder to make; raises `ValueError` for an empty one, as an unset variable leaves it."""
    if not str(directory):
        raise ValueError("The name of the folder to make is empty; give one.")
    return Path(directory).expanduser().resolve()


def refuse_losing(directory: str | Path, source: str | Path) -> None:
    """Raises `ValueError` if replacing `directory` would remove `source`, which it is made from."""
    directory, source = Path(directory).expanduser().resolve(), Path(source).expanduser().resolve()
    if source.exists() and (directory == source or directory in source.parents):
        raise ValueError(f"{directory} holds {source}, which is read; give another folder to write to.")


def refuse_existing(directory: Path, overwrite: bool = False) -> None:
    """Raises what `new_folder` would, so that nobody waits for work that cannot be kept."""
    blocking = next((place for place in (directory, *directory.parents) if place.exists() and not place.is_dir()), None)
    if blocking is not None:
        raise FileExistsError(f"{blocking} is a file; give the name of a folder to make.")
    if not directory.is_dir() or not any(directory.iterdir()):
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
    """Moves the files one by one; takes those back that were moved if one cannot be."""
    files, moved = sorted(staged.iterdir(), key=lambda file: (file.name == LAST, file.name)), []
    if any((directory / file.name).exists() for file in files):
        raise FileExistsError(_made_meanwhile(directory))
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
    """Renames staged to directory; what was there is removed after, and comes back if the renaming fails."""
    former = None
    if directory.is_dir() and overwrite:
        former = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".former", dir=directory.parent))
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
            raise FileExistsError(_made_meanwhile(directory)) from error
        raise
    if former is not None:
        shutil.rmtree(former, ignore_errors=True)


def _made_meanwhile(directory: Path) -> str:
    return f"{directory} was made by another process meanwhile; it was left as it is."


def _share(folder: Path) -> None:
    """The usual permissions: temporary folders, and safetensors' files, are made for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)
    for file in folder.rglob("*"):
        file.chmod((0o777 if file.is_dir() else 0o666) & ~mask)
