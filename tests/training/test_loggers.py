"""What a run reports reaches its history, its folders and its trackers, whole and once."""

import json
import time

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from matplotlib.figure import Figure

from hf_vits.training.loggers import AverageMeter, ExperimentLogger, check_trackers, read_history


@pytest.fixture
def reported(make_trainer):
    """A trainer whose reporter had numbers, a sound and a picture for TensorBoard."""
    trainer = make_trainer(report_to=["tensorboard"])
    reporter = ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.config)
    reporter.numbers(4, {"train/mel": 2.5})
    reporter.sound(4, "row-1", np.zeros(500, dtype=np.float32), 2000)
    reporter.picture(4, "row-1", Figure(figsize=(1, 1)))
    trainer.accelerator.end_training()
    return trainer


def test_trackers_get_numbers_sounds_and_pictures(reported):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = {file.parent for file in (reported.output_dir / "runs" / "hf_vits").glob("events*")}
    events = EventAccumulator(str(folder)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/mel")] == [(4, 2.5)]
    assert [event.step for event in events.Audio("row-1")] == [4] and events.Audio("row-1")[0].sample_rate == 2000
    assert [event.step for event in events.Images("row-1")] == [4] and events.Images("row-1")[0].width == 80


def test_the_same_is_in_files(reported):
    assert read_history(reported.output_dir) == [{"step": 4, "train/mel": 2.5}]
    samples = reported.output_dir / "samples" / "step-4"
    assert {file.name for file in samples.iterdir()} == {"row-1.wav", "row-1.png"}


def test_a_tracker_that_is_not_installed_is_an_error_that_says_what_to_install(monkeypatch, make_trainer):
    from accelerate.utils import LoggerType

    monkeypatch.setattr("hf_vits.training.loggers.get_available_trackers", lambda: [LoggerType.TENSORBOARD])
    with pytest.raises(ImportError, match=r"\['wandb', 'aim'\].*`pip install wandb aim`.*There are \['tensorboard'\]"):
        make_trainer(report_to=["wandb", "tensorboard", "aim"])
    check_trackers(["tensorboard", "all"])


def test_all_trackers_are_those_that_are_installed(monkeypatch):
    monkeypatch.setattr("hf_vits.training.loggers.get_available_trackers", lambda: ["tensorboard", "aim"])
    assert check_trackers(["all"]) == ["tensorboard", "aim"] and check_trackers([]) == []


def test_a_tracker_that_does_not_exist_is_an_error_that_lists_those_that_do(make_trainer):
    with pytest.raises(ValueError, match="tensorbord.*tensorboard"):
        make_trainer(report_to=["tensorbord"])


def test_a_meter_gives_means_since_it_was_read(make_trainer):
    accelerator, meter = Accelerator(cpu=True), AverageMeter()
    for value in (1.0, 3.0):
        meter.add({"mel": torch.tensor(value), **({"kl": torch.tensor(5.0)} if value == 3.0 else {})})
    numbers = meter.read(accelerator)
    assert (numbers["train/mel"], numbers["train/kl"]) == (2.0, 5.0)  # each over the steps that had it
    meter.add({"mel": torch.tensor(7.0)})
    assert meter.read(accelerator)["train/mel"] == 7.0


def test_seconds_per_step_are_of_steps_alone(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    meter = AverageMeter()
    for seconds in (2.0, 4.0):
        clock[0] += seconds
        meter.add({"mel": torch.tensor(1.0)})
        clock[0] += 100.0  # an evaluation
        meter.resume()
    assert meter.read(Accelerator(cpu=True))["seconds_per_step"] == 3.0


def test_lines_after_the_step_that_a_run_goes_on_from_are_dropped(make_trainer, caplog):
    trainer = make_trainer()
    history = trainer.output_dir / "history.jsonl"
    trainer.output_dir.mkdir(parents=True)
    lines = [json.dumps({"step": step, "train/mel": 1.0}) for step in (10, 20, 30)]
    history.write_text("\n".join([*lines, '{"step": 40, "tra']))
    ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.config, 20)
    assert [line["step"] for line in read_history(trainer.output_dir)] == [10, 20]
    assert 'broken line, which is left out: {"step": 40, "tra' in caplog.text
    ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.config)
    assert read_history(trainer.output_dir) == []
