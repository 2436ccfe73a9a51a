"""A command ends with one message for a mistake of its user, and with a traceback for one of its own."""

import logging
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate.state import AcceleratorState, PartialState
from torch.utils.data import DataLoader

from hf_vits.cli import VERBS, main, train
from hf_vits.cli.parser import UsageError
from hf_vits.cli.signals import Stopped

EXAMPLES = Path(__file__).parents[2] / "examples"


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise ValueError("No clip can be decoded: a.wav")


@pytest.fixture
def verb(monkeypatch):
    """Run a verb of another package whose work is this function, or raises this error."""

    def go(work, **attributes):
        def run(options):
            if isinstance(work, BaseException):
                raise work
            return work()

        module = SimpleNamespace(HELP="Work.", add_arguments=lambda parser: None, run=run, **attributes)
        monkeypatch.setitem(sys.modules, "toy_verb", module)
        monkeypatch.setitem(VERBS, "toy", "toy_verb")
        return main(["toy"])

    return go


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (lambda: None, 0, ""),
        (lambda: 3, 3, ""),
        (ValueError("a mistake"), 1, "hf-vits toy: a mistake\n"),
        (OSError("a full disk"), 1, "hf-vits toy: a full disk\n"),
        (FloatingPointError("no gradient"), 1, "hf-vits toy: no gradient\n"),
        (UsageError("a wrong setting"), 2, "hf-vits toy: a wrong setting\n"),
        (KeyboardInterrupt(), 130, "hf-vits toy: interrupted\n"),
        (Stopped(15), 143, "hf-vits toy: stopped by SIGTERM\n"),
    ],
)
def test_a_verb_ends_with_one_line_and_a_status(verb, capsys, error, code, printed):
    assert verb(error) == code and capsys.readouterr().err == printed


def test_an_interrupted_verb_says_how_to_resume(verb, capsys):
    assert verb(KeyboardInterrupt(), RESUME="interrupted; run it again") == 130
    assert capsys.readouterr().err == "hf-vits toy: interrupted; run it again\n"
    assert verb(KeyboardInterrupt("the same command continues"), RESUME="resume from a checkpoint") == 130
    assert capsys.readouterr().err == "hf-vits toy: the same command continues\n"


def test_a_fault_of_the_program_keeps_its_traceback(verb):
    with pytest.raises(IndexError):
        verb(IndexError("out of bounds"))


def test_an_error_of_a_data_worker_is_printed_without_its_traceback(verb, capsys):
    assert verb(lambda: list(DataLoader(Broken(), num_workers=1))) == 1
    assert capsys.readouterr().err == "hf-vits toy: No clip can be decoded: a.wav\n"


@pytest.mark.thorough
def test_full_memory_says_what_to_lower(verb, capsys):
    error = torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")
    assert verb(error, OUT_OF_MEMORY=train.OUT_OF_MEMORY) == 1
    assert capsys.readouterr().err.startswith(
        "hf-vits toy: CUDA out of memory. Lower `per_device_train_batch_size` first; docs/training.md"
    )


def test_an_error_of_datasets_says_why(verb, capsys):
    datasets = pytest.importorskip("datasets")
    error = datasets.exceptions.DatasetGenerationError("An error occurred while generating the dataset.")
    error.__cause__ = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    assert verb(error) == 1
    assert "generating the dataset. UnicodeDecodeError: 'utf-8' codec can't decode" in capsys.readouterr().err


SCRIPTS = {
    "train.py": ["train", "--dataset_name", "nowhere", "--output_dir", "out"],
    "synthesize_dataset.py": ["synthesize", "--dataset_name", "nowhere.csv", "--output_dir", "out"],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_of_the_examples_do_so_too(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    monkeypatch.setattr(sys, "argv", [script, *SCRIPTS[script][1:]])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    assert stop.value.code == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith(f"hf-vits {SCRIPTS[script][0]}: There is no f")
    AcceleratorState._reset_state()
    PartialState._reset_state()
