"""A file is replaced whole or not at all, by any number of writers, and a disk that refuses it is named."""

import errno
import os
import stat
import threading

import pytest
import safetensors.torch
import torch

from hf_vits.utils import atomic_file
from hf_vits.utils.atomic_file import is_special, new_file, storage_errors
from hf_vits.utils.atomic_folder import new_folder


def put(path, text="new"):
    with new_file(path) as staged:
        staged.write_text(text)


@pytest.fixture
def mask():
    """Sets the mask of permissions of new files; brings the former one back."""
    former = os.umask(0o022)
    yield os.umask
    os.umask(former)


def test_a_file_appears_when_it_is_whole_and_no_temporary_one_stays(tmp_path):
    file = tmp_path / "a.txt"
    with new_file(file) as staged:
        staged.write_text("new")
        assert not file.exists() and staged.parent == tmp_path
    assert file.read_text() == "new" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space")])
def test_an_error_or_an_interrupt_leaves_the_former_file_and_nothing_else(tmp_path, error):
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(type(error)), new_file(file) as staged:
        staged.write_text("half")
        raise error
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_writers_of_one_path_do_not_disturb_each_other(tmp_path):
    texts, errors = [str(number) * 5000 for number in range(4)], []

    def write(text):
        try:
            for _ in range(25):
                put(tmp_path / "a.txt", text)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert (tmp_path / "a.txt").read_text() in texts and len(list(tmp_path.iterdir())) == 1


def test_a_link_planted_at_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    precious = tmp_path / "precious"
    precious.write_text("keep")
    tokens = iter(["taken", "free"])
    monkeypatch.setattr(atomic_file.secrets, "token_hex", lambda size: next(tokens))
    (tmp_path / ".a.txt.taken.partial").symlink_to(precious)
    put(tmp_path / "a.txt")
    assert precious.read_text() == "keep" and (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("bits", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_open_gives(tmp_path, mask, bits):
    mask(bits)
    put(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("by open")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == stat.S_IMODE((tmp_path / "b.txt").stat().st_mode)


def test_the_permissions_of_a_file_that_is_replaced_stay(tmp_path):
    (tmp_path / "a.txt").touch(0o600)
    put(tmp_path / "a.txt")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o600


def test_the_file_a_link_points_to_is_written_and_the_link_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "elsewhere" / "a.txt")
    for text in ("first", "second"):
        put(tmp_path / "link.txt", text)
        assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "elsewhere" / "a.txt").read_text() == text
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


def test_a_fifo_is_written_to_and_stays(tmp_path):
    fifo, read = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    put(fifo, "x" * 200_000)
    reader.join(10)
    assert is_special(fifo) and read == [b"x" * 200_000]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_device_is_written_to_and_named_when_it_is_full():
    put("/dev/null")
    with pytest.raises(OSError, match=r"/dev/full could not be written to: No space left") as caught:
        put("/dev/full")
    assert caught.value.errno == errno.ENOSPC


def test_what_cannot_be_written_is_named_with_the_cause(tmp_path, monkeypatch):
    with pytest.raises(IsADirectoryError, match="is a folder; name a file"):
        put(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder .*nowhere; make it"):
        put(tmp_path / "nowhere" / "a.txt")
    with pytest.raises(OSError, match=f"{'n' * 300} could not be written"):
        put(tmp_path / ("n" * 300))
    (tmp_path / "a.txt").touch(0o444)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / "a.txt")  # as for anybody but root
    with pytest.raises(PermissionError, match="write-protected"):
        put(tmp_path / "a.txt")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match=f"The folder {tmp_path} is not writable"):
        put(tmp_path / "b.txt")


def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path):
    put(tmp_path / ("ü" * 127))
    assert (tmp_path / ("ü" * 127)).read_text() == "new"


def fails_with(error):
    def fail(folder):
        raise error

    return fail


def half_a_torch_file(folder):
    """Raises what torch does on a full disk: it sees that the file is shorter than what it has written."""
    torch.save({"weight": torch.zeros(3)}, HalfOfIt())


class HalfOfIt:
    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    flush = staticmethod(lambda: None)


def unwritable_safetensors(folder):
    (folder / "weights").symlink_to("/dev/full")
    (folder / "weights").write_bytes(b"x")


@pytest.mark.parametrize(
    "fail",
    [
        fails_with(OSError(errno.ENOSPC, "No space left on device")),
        fails_with(safetensors.SafetensorError("I/O error: No space left on device (os error 28)")),
        fails_with(RuntimeError("write(): fd 3 failed with No space left on device")),
        half_a_torch_file,
        unwritable_safetensors,
    ],
    ids=["Python", "safetensors", "torch", "torch on a file", "device"],
)
def test_a_full_disk_is_named_whichever_library_meets_it(tmp_path, fail):
    message = rf"No space is left on the disk of the folder {tmp_path}.* Make room"
    with pytest.raises(OSError, match=message) as caught, storage_errors(tmp_path / "to be made"):
        fail(tmp_path)
    assert caught.value.errno == errno.ENOSPC


def test_a_library_that_gives_no_cause_is_explained_by_trying(tmp_path, monkeypatch):
    error = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")
    with pytest.raises(RuntimeError, match="unexpected pos"), storage_errors(tmp_path):
        raise error  # of another cause: the disk takes bytes

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_file.tempfile, "TemporaryFile", full)
    with pytest.raises(OSError, match="No space is left"), storage_errors(tmp_path):
        raise error


@pytest.mark.parametrize("error", [ValueError("no voice"), FileNotFoundError(errno.ENOENT, "No such file", "source")])
def test_errors_of_what_is_read_stay_as_they_are(tmp_path, error):
    with pytest.raises(type(error)) as caught, storage_errors(tmp_path):
        raise error
    assert caught.value is error


def test_the_disk_of_another_folder_is_named_if_the_error_is_about_that(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere").mkdir()
    error = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "elsewhere" / "weights"))
    with pytest.raises(OSError, match="the folder .*elsewhere"), storage_errors(tmp_path / "here"):
        raise error


def test_a_temporary_folder_is_not_named_which_is_gone_when_the_error_is_read(tmp_path):
    error = OSError(errno.ENOSPC, "No space left on device")
    message = rf"the folder {tmp_path} \("
    with (
        pytest.raises(OSError, match=message),
        new_folder(tmp_path / "voice") as staged,
        storage_errors(staged / "weights"),
    ):
        raise error
    assert not list(tmp_path.iterdir())
