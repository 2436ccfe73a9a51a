"""Weights are inspected without an exception: what cannot be read becomes a problem of a known kind."""

import json
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hf_vits.conversion.tensor_table import inspect_file, inspect_folder


@pytest.fixture
def tensors():
    return {"a.weight": torch.randn(3, 2), "b.bias": torch.randn(4).half()}


class Code:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def save(kind, tensors, folder):
    if kind == "safetensors":
        save_file(tensors, folder / "model.safetensors")
    elif kind == "shards":
        for number, (name, tensor) in enumerate(tensors.items()):
            save_file({name: tensor}, folder / f"{number}.safetensors")
        index = {"weight_map": {name: f"{number}.safetensors" for number, name in enumerate(tensors)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=kind == "archive")


@pytest.mark.parametrize("kind", ["safetensors", "shards", "archive", "old pickle"])
def test_shapes_types_and_values_are_those_that_were_saved(kind, tensors, tmp_path):
    save(kind, tensors, tmp_path)

    table = inspect_folder(tmp_path)

    assert table.problems == []
    assert table.shapes == {"a.weight": (3, 2), "b.bias": (4,)} and table.dtypes == {"a.weight": "F32", "b.bias": "F16"}
    values = dict(table.values())
    assert values.keys() == tensors.keys() and all(torch.equal(values[name], tensors[name]) for name in tensors)
    assert table.with_prefix("a.").shapes == {"a.weight": (3, 2)}


def test_each_kind_of_problem_is_reported_and_names_the_file(tensors, tmp_path):
    def kinds(file):
        found = inspect_file(file).problems
        assert all(file.name in problem.text and problem.files == (file.name,) for problem in found)
        return [problem.kind for problem in found]

    file = tmp_path / "a.bin"
    assert kinds(tmp_path) == ["not_a_file"]
    torch.save(tensors, file)
    file.write_bytes(file.read_bytes()[:-20])
    assert kinds(file) == ["damaged"]
    torch.save({"a": Code(tmp_path / "ran")}, file)
    assert kinds(file) == ["unsafe"] and not (tmp_path / "ran").exists()
    torch.save({"step": 3}, file)
    assert kinds(file) == ["no_tensors"]
    torch.save({"a": torch.zeros(2).to_sparse()}, file)
    assert kinds(file) == ["no_tensors"]
    torch.save({"a": torch.zeros(1).expand(2_000_000_000)}, file)
    assert kinds(file) == ["damaged"]
    torch.save({"a": torch.zeros(1, dtype=torch.int64)}, file)
    assert (
        kinds(file) == [] and inspect_file(file).dtypes == {"a": "torch.int64"} and not [*inspect_file(file).values()]
    )
    assert [problem.kind for problem in inspect_folder(tmp_path).problems] == ["no_weights"]
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "missing.safetensors"}}')
    assert [problem.kind for problem in inspect_folder(tmp_path).problems] == ["missing_shards"]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not list what is mapped")
def test_the_tensors_of_an_archive_are_mapped_and_not_copied(tensors, tmp_path):
    save("archive", tensors, tmp_path)

    table = inspect_folder(tmp_path)

    assert table.mapped and str(tmp_path / "pytorch_model.bin") in Path("/proc/self/maps").read_text()


def rewrite_archive(file, change=lambda name, data: data, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, change(name, data))


def oversized(file):
    (problem,) = inspect_file(file).problems
    return problem.kind == "oversized" and problem.text


def test_compressed_entries_are_rejected_even_if_they_unpack_to_little(tensors, tmp_path):
    torch.save(tensors, file := tmp_path / "a.bin")
    rewrite_archive(file, compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in oversized(file) or "when unpacked" in oversized(file)


def test_entries_that_claim_more_than_the_file_holds_are_rejected_even_if_uncompressed(tensors, tmp_path):
    torch.save(tensors, file := tmp_path / "a.bin")
    rewrite_archive(file)
    data = bytearray(file.read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24  # the size of the last entry in the directory
    data[place : place + 4] = struct.pack("<I", 10**9)
    file.write_bytes(bytes(data))
    assert "1,000,0" in oversized(file)


def test_tensors_that_claim_the_data_of_others_are_rejected_even_if_each_is_within_the_file(tmp_path):
    def claim(name, data):  # 2000 numbers, in two storages and their shapes
        return data.replace(b"M\xe8\x03", b"M\xd0\x07", 4) if name.endswith("data.pkl") else data

    torch.save({name: torch.arange(1000.0) for name in "abc"}, file := tmp_path / "a.bin")
    rewrite_archive(file, claim)
    table = torch.load(file, weights_only=True, mmap=True)
    assert len(table["a"]) == len(table["b"]) == 2000 and len(table["c"]) == 1000
    assert "its tensors claim more" in oversized(file)
