"""A script ends with one message for a mistake of its user, and with a traceback for one of its own."""

import logging
import runpy
import sys
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState, PartialState
from torch.utils.data import DataLoader

from hf_vits.utils.script_arguments import run_script

EXAMPLES = Path(__file__).parents[2] / "examples"


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise ValueError("No clip can be decoded: a.wav")


def raising(error):
    def main():
        raise error

    return main


def told(error):
    with pytest.raises(SystemExit) as stop:
        run_script(raising(error) if isinstance(error, BaseException) else error)
    return stop.value.code


@pytest.fixture(autouse=True)
def name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/some/where/train.py"])


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(IndexError):
        run_script(raising(IndexError("out of bounds")))


def test_a_mistake_found_by_a_process_that_loads_data_is_told_without_its_traceback(capsys):
    assert told(lambda: list(DataLoader(Broken(), num_workers=1))) == 1
    assert capsys.readouterr().err == "train.py: No clip can be decoded: a.wav\n"


def test_full_memory_says_what_to_lower(capsys):
    assert told(torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")) == 1
    assert capsys.readouterr().err.startswith(
        "train.py: CUDA out of memory. Lower the batch size first; docs/training.md"
    )


def test_an_error_of_datasets_says_why(capsys):
    datasets = pytest.importorskip("datasets")
    error = datasets.exceptions.DatasetGenerationError("An error occurred while generating the dataset.")
    error.__cause__ = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    assert told(error) == 1
    assert "generating the dataset. UnicodeDecodeError: 'utf-8' codec can't decode" in capsys.readouterr().err


SCRIPTS = {
    "train.py": ["--dataset_name", "nowhere", "--output_dir", "out"],
    "synthesize_dataset.py": ["--dataset_name", "nowhere.csv", "--output_dir", "out"],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_tell_mistakes_so(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLES / script), *SCRIPTS[script]])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    assert stop.value.code == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith(f"{script}: There is no f")
    AcceleratorState._reset_state()
    PartialState._reset_state()
