"""The size of archives is checked before they are unpacked, each rule by itself."""

import struct
import zipfile

import pytest
import torch

from hf_vits.doctor.readers import Unreadable, read_pickle

TABLE = {"a": torch.arange(6.0)}


def rewritten(file, compression):
    """Write the archive again, with its entries compressed or not."""
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def test_a_table_is_read(tmp_path):
    torch.save(TABLE, tmp_path / "voice.bin")
    assert torch.equal(read_pickle(tmp_path / "voice.bin")["a"], TABLE["a"])


def test_entries_that_are_compressed_are_refused_though_they_unpack_to_little(tmp_path):
    torch.save(TABLE, tmp_path / "voice.bin")
    rewritten(tmp_path / "voice.bin", zipfile.ZIP_DEFLATED)
    with pytest.raises(Unreadable, match="compressed, as PyTorch's files never are"):
        read_pickle(tmp_path / "voice.bin")


def test_entries_that_claim_more_than_the_file_has_are_refused_though_they_are_not_compressed(tmp_path):
    torch.save(TABLE, tmp_path / "voice.bin")
    rewritten(tmp_path / "voice.bin", zipfile.ZIP_STORED)
    data = bytearray((tmp_path / "voice.bin").read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24  # the size of the last entry in the directory
    data[place : place + 4] = struct.pack("<I", 10**9)
    (tmp_path / "voice.bin").write_bytes(bytes(data))
    with pytest.raises(Unreadable, match="would unpack to 1,000,0"):
        read_pickle(tmp_path / "voice.bin")


def test_tensors_that_claim_each_other_s_numbers_are_refused_though_each_is_within_the_file(tmp_path):
    file = tmp_path / "voice.bin"
    torch.save({name: torch.arange(1000.0) for name in "abc"}, file)
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            claims = content.replace(b"M\xe8\x03", b"M\xd0\x07", 4)  # 2000 numbers, in two storages and their shapes
            archive.writestr(name, claims if name.endswith("data.pkl") else content)
    table = torch.load(file, weights_only=True, mmap=True)
    assert len(table["a"]) == len(table["b"]) == 2000 and len(table["c"]) == 1000
    with pytest.raises(Unreadable, match="its tensors claim more"):
        read_pickle(file)
