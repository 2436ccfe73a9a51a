"""A file of `torch.save` that would unpack to more than it is long is refused before anything of it is unpacked."""

import os
import pickle
import resource
import struct
import zipfile

import pytest
import torch

from hf_vits.hub.state_dict import read_contents
from hf_vits.utils.archives import ALLOCATING, CHUNK, check_pickled

MEGABYTES = 2**20


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def archive(file, entries, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(file, "w", method) as written:
        for name, data in entries.items():
            written.writestr(f"archive/{name}", data)
    return file


def pickled(body):
    return b"\x80\x02" + body + b"."


def call(module, name, size):
    """A pickle that calls a class with a number, as the state of a run never does."""
    return pickled(f"c{module}\n{name}\n".encode() + b"(J" + struct.pack("<i", size) + b"tR")


@pytest.fixture
def state():
    return {"step": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(4)}}}, "random": torch.get_rng_state()}


def test_what_torch_saves_is_read_in_both_layouts(tmp_path, state):
    for new in (True, False):
        torch.save(state, tmp_path / "training_state.pt", _use_new_zipfile_serialization=new)
        read = read_contents(tmp_path / "training_state.pt")
        assert read["step"] == 3 and torch.equal(read["random"], state["random"])


@pytest.mark.thorough
@pytest.mark.parametrize("declared", ["as it is", "as little"])
def test_an_archive_that_unpacks_to_gigabytes_is_refused_unread(tmp_path, declared):
    file = archive(tmp_path / "training_state.pt", {"data.pkl": pickle.dumps({}, 2), "version": "3\n"})
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as written, written.open("archive/data/0", "w") as entry:
        for _ in range(150):
            entry.write(bytes(MEGABYTES))
    if declared == "as little":
        data = bytearray(file.read_bytes())
        sizes = data.rindex(b"archive/data/0") - 46 + 24  # in the directory at the end
        data[sizes : sizes + 4] = struct.pack("<I", 4)
        file.write_bytes(data)
    before = peak()
    with pytest.raises(ValueError, match="training_state.pt is not a readable file"):
        read_contents(file)
    assert peak() - before < 50 * MEGABYTES


def test_entries_that_share_their_bytes_count_each_for_itself(tmp_path):
    """As in archives that unpack to terabytes without compression: their directory names one place many times."""
    file = archive(tmp_path / "a.pt", {"data.pkl": pickle.dumps({}, 2), "data/0": bytes(MEGABYTES)})
    with zipfile.ZipFile(file) as read:
        entry = read.getinfo("archive/data/0")
    with zipfile.ZipFile(file, "a") as written:
        for number in range(1, 900):
            copy = zipfile.ZipInfo(f"archive/data/{number}")
            copy.header_offset, copy.file_size, copy.compress_size, copy.CRC = entry.header_offset, *[MEGABYTES] * 2, 0
            written.filelist.append(copy)
        written._didModify = True
    with pytest.raises(ValueError, match="bytes when unpacked"):
        check_pickled(file)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "bytearray"),
        ("__builtin__", "bytearray"),
        ("torch", "Tensor"),
        ("torch", "FloatTensor"),
        ("torch.storage", "UntypedStorage"),
        ("torch.storage", "TypedStorage"),
    ],
)
@pytest.mark.parametrize("kind", ["archive", "archive, capital", "pickle"])
def test_a_pickle_that_asks_for_memory_is_refused(tmp_path, module, name, kind):
    data, file = call(module, name, 2_000_000_000), tmp_path / "a.pt"
    if kind == "pickle":
        file.write_bytes(data)
    else:
        archive(file, {"data.pkl" if kind == "archive" else "DATA.PKL": data, "version": "3\n"})
    before = peak()
    with pytest.raises(ValueError, match=f"asks for a {name}"):
        read_contents(file)
    assert peak() - before < 50 * MEGABYTES


def test_a_name_across_two_pieces_is_found(tmp_path):
    for cut in (1, 5, 9):
        (tmp_path / "a.pt").write_bytes(b"\x80" + bytes(CHUNK - cut - 1) + b"\nbytearray\n")
        with pytest.raises(ValueError, match="asks for a bytearray"):
            check_pickled(tmp_path / "a.pt")
    assert not ALLOCATING.search(b"\nFloatStorage\n")  # which is not called, and says of what type numbers are


def test_an_archive_cut_off_or_with_a_long_pickle_is_refused(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="its pickle has"):
        check_pickled(tmp_path / "a.pt", most=10)
    (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-30])
    with pytest.raises(ValueError, match="not a whole archive"):
        check_pickled(tmp_path / "a.pt")


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.pt")
    with pytest.raises(OSError, match="not an ordinary file"):
        read_contents(tmp_path / "a.pt")
