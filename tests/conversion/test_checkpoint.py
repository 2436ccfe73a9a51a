"""Checkpoints of other projects: their weights are read, and nothing else of them is brought to life."""

import argparse
import os
import pathlib
import sys
import types
import zipfile

import pytest
import torch

from hf_vits.conversion.checkpoint import UnpicklePlaceholder, copied, read_checkpoint

WEIGHT = torch.arange(6.0).view(2, 3)


class Settings:
    """Of a program that is not installed where the file is read."""

    made = 0

    def __init__(self, rate=22_050):
        type(self).made += 1
        self.rate = rate

    def __setstate__(self, state):
        type(self).made += 1


class Call:
    """Pickled as the call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def program(monkeypatch):
    """A module `program` while files are written."""
    module = types.ModuleType("program")
    module.Settings = Settings
    monkeypatch.setattr(Settings, "__module__", "program")
    monkeypatch.setitem(sys.modules, "program", module)
    return module


def saved(tmp_path, contents, **options):
    torch.save(contents, tmp_path / "G.pth", **options)
    return tmp_path / "G.pth"


@pytest.mark.parametrize("name", ["model", "state_dict"])
def test_the_table_of_weights_is_found_beside_the_state_of_training(name, tmp_path):
    file = saved(tmp_path, {"iteration": 7, name: {"a": WEIGHT}, "optimizer": {"state": {0: {"step": 3}}}})

    checkpoint = read_checkpoint(file)

    assert torch.equal(checkpoint.tensors["a"], WEIGHT)
    assert checkpoint.rest["iteration"] == 7 and checkpoint.rest.keys() == {"iteration", "optimizer"}


def test_the_wrapper_of_distributed_training_is_taken_off_the_names(tmp_path):
    assert read_checkpoint(saved(tmp_path, {"module.module.a": WEIGHT})).tensors.keys() == {"a"}
    assert read_checkpoint(saved(tmp_path, {"module.a": WEIGHT, "b": WEIGHT})).tensors.keys() == {"module.a", "b"}


def test_objects_of_other_programs_are_left_out_without_running_them(program, tmp_path):
    contents = {"model": {"a": WEIGHT}, "config": Settings(), "data": [pathlib.PurePosixPath("/data/x"), 5]}
    file, Settings.made = saved(tmp_path, contents | {"options": argparse.Namespace(lr=1)}), 0
    del sys.modules["program"]

    checkpoint = read_checkpoint(file)

    assert torch.equal(checkpoint.tensors["a"], WEIGHT)
    assert Settings.made == 0
    assert isinstance(checkpoint.rest["config"], UnpicklePlaceholder) and checkpoint.rest["data"][1] == 5
    assert "program.Settings" in checkpoint.notes[0] and "argparse.Namespace" in checkpoint.notes[0]


@pytest.mark.parametrize("function", [open, exec, eval, getattr, __import__], ids=lambda function: function.__name__)
def test_a_file_that_calls_python_s_own_functions_is_refused(function, tmp_path):
    file = saved(tmp_path, {"model": {"a": WEIGHT}, "x": Call(function, str(tmp_path / "loot"), "w")})

    with pytest.raises(ValueError, match="G.pth is not a readable file of tensors.*code that is not run"):
        read_checkpoint(file)
    assert not (tmp_path / "loot").exists()


def test_what_would_grow_when_unpacked_is_refused_before_it_does(tmp_path):
    file = saved(tmp_path, {"model": {"a": torch.zeros(20_000_000)}})
    with zipfile.ZipFile(file) as stored, zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in stored.namelist():
            bomb.writestr(name, stored.read(name))
    assert (tmp_path / "bomb.pth").stat().st_size < 500_000

    with pytest.raises(ValueError, match="bomb.pth.*unpacked"):
        read_checkpoint(tmp_path / "bomb.pth")


def test_a_pickle_that_would_grow_is_refused_before_anybody_looks_into_it(tmp_path, monkeypatch):
    file = saved(tmp_path, {"model": {"a": WEIGHT}})
    with zipfile.ZipFile(file) as stored, zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in stored.namelist():
            bomb.writestr(name, stored.read(name) + bytes(50_000_000 if name.endswith(".pkl") else 0))
    looked = []
    monkeypatch.setattr(torch.serialization, "get_unsafe_globals_in_checkpoint", lambda file: looked.append(file) or [])

    with pytest.raises(ValueError, match="bomb.pth.*unpacked"):
        read_checkpoint(tmp_path / "bomb.pth")
    assert not looked


def test_a_refusal_gives_no_advice_to_read_the_file_unsafely(tmp_path):
    file = saved(tmp_path, {"model": {"a": WEIGHT}, "x": Call(eval, "1")})

    with pytest.raises(ValueError, match="it asks for eval") as raised:
        read_checkpoint(file)
    assert "weights_only" not in str(raised.value) and "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([WEIGHT], "holds one list and no table"),
        ({"mpd": {"a": WEIGHT}, "step": 4}, "no table of weights, but the entries mpd, step"),
        ({"model": {"a": 5}}, "no table of weights, but the entries model"),
    ],
)
def test_a_file_without_a_table_of_weights_says_what_it_holds(contents, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_checkpoint(saved(tmp_path, contents))


def test_tensors_that_share_memory_get_their_own():
    whole = torch.arange(8.0)
    tensors = copied({"a": whole[:4], "b": whole[:4], "c": whole[4:], "d": torch.arange(6.0).view(2, 3).T})

    places = {tensor.untyped_storage().data_ptr() for tensor in tensors.values()}
    assert len(places) == 4 and all(tensor.is_contiguous() for tensor in tensors.values())
    assert torch.equal(tensors["b"], whole[:4]) and torch.equal(tensors["c"], whole[4:])


class Path_(Settings):
    """Another class of that program."""


def test_objects_in_a_file_of_before_archives_are_left_out_too(program, monkeypatch, tmp_path):
    monkeypatch.setattr(Path_, "__module__", "program")
    program.Path_ = Path_
    contents = {"state_dict": {"a": WEIGHT}, "hyper_parameters": {"root": pathlib.PurePosixPath("/data"), "rate": 5}}
    contents |= {"config": Settings(), "other": Path_()}
    file, Settings.made = saved(tmp_path, contents, _use_new_zipfile_serialization=False), 0
    del sys.modules["program"]
    assert not zipfile.is_zipfile(file)

    checkpoint = read_checkpoint(file)

    assert torch.equal(checkpoint.tensors["a"], WEIGHT)
    assert Settings.made == 0
    assert checkpoint.rest["hyper_parameters"]["rate"] == 5
    assert repr(checkpoint.rest["hyper_parameters"]["root"]) == "an object of another program"
    for name in ("pathlib.PurePosixPath", "program.Settings", "program.Path_"):
        assert name in checkpoint.notes[0]


@pytest.mark.parametrize("function", [open, eval, os.system], ids=lambda function: function.__name__)
def test_code_in_a_file_of_before_archives_is_not_run(function, tmp_path):
    contents = {"model": {"a": WEIGHT}, "x": pathlib.PurePosixPath("/"), "y": Call(function, f"{tmp_path}/loot", "w")}
    file = saved(tmp_path, contents, _use_new_zipfile_serialization=False)

    with pytest.raises(ValueError, match="code that is not run"):
        read_checkpoint(file)
    assert not (tmp_path / "loot").exists()


def test_a_file_of_before_archives_with_classes_without_end_is_refused(program, tmp_path):
    contents = {"model": {"a": WEIGHT}}
    for number in range(60):
        kind = type(f"Class{number}", (), {"__module__": "program"})
        setattr(program, kind.__name__, kind)
        contents[f"{number}"] = kind()
    file = saved(tmp_path, contents, _use_new_zipfile_serialization=False)

    with pytest.raises(ValueError, match="it asks for program.Class50"):
        read_checkpoint(file)
