import json
import os

import pytest

from hf_vits.utils import digests
from hf_vits.utils.digests import RECORD, changed_file, record_digests

NAMES = ("a.bin", "b.json")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    (tmp_path / "b.json").write_text("{}")
    return tmp_path


@pytest.fixture
def read(monkeypatch):
    """Names of the files that are read to be compared."""
    names, whole = [], digests.sha256
    monkeypatch.setattr(digests, "sha256", lambda file: names.append(file.name) or whole(file))
    return names


def test_what_was_recorded_is_the_sha_256_of_each_file(folder):
    record_digests(folder, NAMES)
    table = json.loads((folder / RECORD).read_text())
    assert table["a.bin"][0] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2


def test_unchanged_files_are_not_read_again(folder, read):
    record_digests(folder, NAMES)
    read.clear()
    assert changed_file(folder, NAMES) is None
    assert not read


def test_a_change_of_equal_length_is_found(folder):
    record_digests(folder, NAMES)
    (folder / "a.bin").write_bytes(b"abd")
    assert changed_file(folder, NAMES) == "a.bin"
    (folder / "a.bin").write_bytes(b"abc")
    assert changed_file(folder, NAMES) is None


def test_a_change_whose_time_was_set_back_is_found(folder):
    record_digests(folder, NAMES)
    times = (folder / "a.bin").stat()
    (folder / "a.bin").write_bytes(b"abd")
    os.utime(folder / "a.bin", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert changed_file(folder, NAMES) == "a.bin"


def test_a_file_that_was_only_touched_is_read_once(folder, read):
    record_digests(folder, NAMES)
    read.clear()
    (folder / "a.bin").touch()
    assert changed_file(folder, NAMES) is None and changed_file(folder, NAMES) is None
    assert read == ["a.bin"]


@pytest.mark.parametrize("record", [None, "{", "[]", '{"a.bin": 1}', '{"a.bin": []}'])
def test_a_folder_without_a_readable_record_gets_one(folder, record):
    if record is not None:
        (folder / RECORD).write_text(record)
    assert changed_file(folder, NAMES) is None
    (folder / "a.bin").write_bytes(b"abd")
    assert changed_file(folder, NAMES) == "a.bin"


def test_a_folder_that_cannot_be_written_to_is_read_all_the_same(folder, monkeypatch):
    def full(path):
        raise OSError("No space left on device")

    monkeypatch.setattr(digests, "new_file", full)
    record_digests(folder, NAMES)
    assert changed_file(folder, NAMES) is None and not (folder / RECORD).exists()
