"""A folder is made whole or not at all, and nothing is lost to it that was not meant."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from hf_vits.utils.atomic_folder import destination, new_folder, refuse_existing


def make(directory, overwrite=False):
    with new_folder(Path(directory), overwrite) as staged:
        (staged / "new.txt").touch()


@pytest.mark.parametrize("above", [0, 1, 2])
def test_a_folder_one_stands_in_is_not_replaced(tmp_path, monkeypatch, above):
    current = tmp_path / "a" / "b"
    current.mkdir(parents=True)
    (current / "work.txt").touch()
    monkeypatch.chdir(current)

    with pytest.raises(ValueError, match="is the current folder or holds it"):
        make([current, *current.parents][above], overwrite=True)

    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [current / "work.txt"]


def test_a_folder_beside_or_in_the_current_one_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("inside", "../" + tmp_path.name + "-beside"):
        place = (tmp_path / name).resolve()
        place.mkdir()
        (place / "old.txt").touch()
        make(place, overwrite=True)
        assert [file.name for file in place.iterdir()] == ["new.txt"]


def test_an_empty_folder_one_stands_in_is_filled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["new.txt"]


def test_a_file_on_the_way_is_named(tmp_path):
    (tmp_path / "file").touch()
    for place in ("file", "file/x", "file/x/y"):
        with pytest.raises(FileExistsError, match="file is a file; give the name of a folder"):
            make(tmp_path / place)


def test_an_empty_name_is_no_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="is empty; give one"):
        destination("")
    assert destination("x") == tmp_path / "x"


def test_a_full_disk_is_named_and_leaves_what_was_there(tmp_path):
    make(tmp_path / "voice")
    message = f"No space is left on the disk of the folder {tmp_path}"
    with pytest.raises(OSError, match=message) as caught, new_folder(tmp_path / "voice", overwrite=True) as staged:
        (staged / "half.txt").touch()
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.rglob("*")] == ["voice", "new.txt"]


def test_a_folder_that_may_not_be_written_to_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # as for anybody but root
    for place in (tmp_path / "voice", tmp_path / "a" / "b" / "voice", tmp_path):
        with pytest.raises(PermissionError, match=f"The folder {tmp_path} is not writable"):
            refuse_existing(place)


@pytest.mark.parametrize("bits", [0o022, 0o077, 0o002])
def test_folders_and_their_files_have_the_usual_permissions(tmp_path, bits):
    former = os.umask(bits)
    try:
        with new_folder(tmp_path / "voice") as staged:
            (staged / "sub").mkdir()
            for name in ("weights", "sub/weights"):
                (staged / name).touch(0o600)  # as safetensors does
    finally:
        os.umask(former)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"voice": 0o777 & ~bits, "sub": 0o777 & ~bits, "weights": 0o666 & ~bits}


def test_the_mask_of_a_process_is_never_another_one_while_folders_are_made(tmp_path, monkeypatch):
    """Another thread's files would be open to everybody in the meantime, or for good."""
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the mask was changed"))
    threads = [threading.Thread(target=make, args=(tmp_path / str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(tmp_path.glob("*/new.txt"))) == 4


def test_a_folder_with_a_name_as_long_as_the_file_system_takes_is_made(tmp_path):
    make(tmp_path / ("n" * 255))
    assert (tmp_path / ("n" * 255) / "new.txt").is_file()


def test_what_is_replaced_stays_until_the_new_is_in_its_place_and_comes_back_if_it_never_is(tmp_path, monkeypatch):
    directory, rename = tmp_path / "voice", os.rename
    directory.mkdir()
    (directory / "weights").write_text("old")
    seen = []

    def looked_at(source, target):
        seen.append([file.read_text() for file in tmp_path.rglob("weights") if file.read_text() == "old"])
        if Path(source).name.endswith(".partial"):
            raise OSError("the new folder cannot be moved")
        rename(source, target)

    monkeypatch.setattr(os, "rename", looked_at)
    with pytest.raises(OSError), new_folder(directory, overwrite=True) as staged:
        (staged / "weights").write_text("new")
    assert seen and all(old == ["old"] for old in seen)
    assert (directory / "weights").read_text() == "old" and [file.name for file in tmp_path.iterdir()] == ["voice"]
