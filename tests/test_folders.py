"""A folder is made whole or not at all, and nothing is lost to it that was not meant."""

from pathlib import Path

import pytest

from hf_vits.folders import destination, new_folder


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
