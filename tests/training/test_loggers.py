"""What a run reports reaches its history, its folders and its trackers, whole and once."""

import json
import sys
import time
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import soundfile
import torch
from accelerate import Accelerator
from accelerate.utils import LoggerType
from matplotlib.figure import Figure

from hf_vits.training.loggers import (
    SENDERS,
    AverageMeter,
    ExperimentLogger,
    _save_figure,
    check_trackers,
    log_media,
    loss_figure,
    read_history,
)


@pytest.fixture
def reported(make_trainer):
    """A trainer whose experiment had numbers, a sound and a picture for TensorBoard."""
    trainer = make_trainer(report_to=["tensorboard"])
    experiment = ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.args)
    experiment.log(4, {"train/mel": 2.5})
    experiment.log_audio(4, "row-1", np.zeros(500, dtype=np.float32), 2000)
    experiment.log_figure(4, "row-1", Figure(figsize=(1, 1)))
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
        meter.restart_clock()
    assert meter.read(Accelerator(cpu=True))["seconds_per_step"] == 3.0


def test_lines_after_the_step_that_a_run_goes_on_from_are_dropped(make_trainer, caplog):
    trainer = make_trainer()
    history = trainer.output_dir / "history.jsonl"
    trainer.output_dir.mkdir(parents=True)
    lines = [json.dumps({"step": step, "train/mel": 1.0}) for step in (10, 20, 30)]
    history.write_text("\n".join([*lines, '{"step": 40, "tra']))
    ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.args, 20)
    assert [line["step"] for line in read_history(trainer.output_dir)] == [10, 20]
    assert 'damaged line, which is left out: {"step": 40, "tra' in caplog.text
    ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.args)
    assert read_history(trainer.output_dir) == []


def test_losses_are_drawn_over_their_steps_with_evaluation_beside_training():
    history = [
        {"step": 0, "eval/mel": 3.0},
        {"step": 5, "train/mel": 2.0, "train/kl": 9.0, "skipped_steps": 1},
        {"step": 10, "train/mel": 1.0, "train/kl": 8.0, "eval/mel": 1.5},
    ]
    drawn = {
        (axis.get_title(), line.get_label()): list(zip(*line.get_data(), strict=True))
        for axis in loss_figure(history).axes
        for line in axis.lines
    }
    assert drawn == {
        ("mel", "train"): [(5, 2.0), (10, 1.0)],
        ("mel", "eval"): [(0, 3.0), (10, 1.5)],
        ("kl", "train"): [(5, 9.0), (10, 8.0)],
    }


def test_a_loss_that_falls_far_has_a_logarithmic_axis():
    history = [{"step": 1, "train/mel": 100.0, "train/kl": 2.0}, {"step": 2, "train/mel": 1.0, "train/kl": 1.0}]
    scales = {axis.get_title(): axis.get_yscale() for axis in loss_figure(history).axes if axis.get_visible()}
    assert scales == {"mel": "log", "kl": "linear"}


def test_a_figure_is_saved_as_png(tmp_path):
    _save_figure(Figure(figsize=(1, 1)), tmp_path / "figure")
    assert (tmp_path / "figure").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def files(tmp_path):
    from matplotlib.image import imsave

    soundfile.write(tmp_path / "row-3.wav", np.linspace(-0.5, 0.5, 800, dtype="float32"), 2000, subtype="FLOAT")
    imsave(tmp_path / "row-3.png", np.full((4, 6, 3), 0.5))
    return tmp_path / "row-3.wav", tmp_path / "row-3.png"


@pytest.fixture
def shown(files):
    """What a tracker of that name was asked to do with both files: names of calls, and their arguments."""

    def calls(name):
        tracker = MagicMock()
        tracker.name = name
        for file in files:
            log_media(tracker, file, 7)
        return [(call[0], *call[1:]) for call in tracker.mock_calls if not call[0].endswith("get_logger")]

    return calls


def test_every_tracker_is_known():
    assert SENDERS.keys() == {tracker.value for tracker in LoggerType} - {"all"}


@pytest.mark.parametrize("name", ["wandb", "trackio", "swanlab"])
def test_those_with_classes_for_media_are_given_them(shown, files, monkeypatch, name):
    package = SimpleNamespace(Audio=lambda path: ("sound", path), Image=lambda path: ("picture", path))
    monkeypatch.setitem(sys.modules, name, package)
    sound, picture = map(str, files)
    assert shown(name) == [
        ("log", ({"row-3": ("sound", sound)},), {"step": 7}),
        ("log", ({"row-3": ("picture", picture)},), {"step": 7}),
    ]


def test_aim_is_given_its_own_classes(shown, files, monkeypatch):
    package = SimpleNamespace(Audio=lambda path, format: (format, path), Image=lambda path: ("picture", path))
    monkeypatch.setitem(sys.modules, "aim", package)
    sound, picture = map(str, files)
    assert shown("aim") == [
        ("tracker.track", (("wav", sound),), {"name": "row-3", "step": 7}),
        ("tracker.track", (("picture", picture),), {"name": "row-3", "step": 7}),
    ]


def test_tensorboard_is_given_samples_and_pixels(shown):
    sound, picture = shown("tensorboard")
    call, (name, waveform, step), options = sound
    assert (call, name, waveform.shape, step) == ("tracker.add_audio", "row-3", (1, 800), 7)
    assert options == {"sample_rate": 2000} and waveform[0, -1] == 0.5
    call, (name, pixels, step), options = picture
    assert (call, name, pixels.shape[:2], step) == ("tracker.add_image", "row-3", (4, 6), 7)
    assert options == {"dataformats": "HWC"}


def test_comet_clearml_and_mlflow_are_given_files(shown, files):
    sound, picture = map(str, files)
    assert shown("comet_ml") == [
        ("tracker.log_audio", (sound,), {"file_name": "row-3", "step": 7}),
        ("tracker.log_image", (picture,), {"name": "row-3", "step": 7}),
    ]
    common = {"title": "samples", "series": "row-3", "iteration": 7}
    assert shown("clearml") == [
        ("tracker.get_logger().report_media", (), {**common, "local_path": sound}),
        ("tracker.get_logger().report_image", (), {**common, "local_path": picture}),
    ]
    folder = {"artifact_path": "samples/step-7"}
    assert shown("mlflow") == [("log_artifact", (sound,), folder), ("log_artifact", (picture,), folder)]


def test_dvclive_which_has_no_sounds_is_given_pictures(shown, files):
    assert shown("dvclive") == [("tracker.log_image", ("row-3/7.png", str(files[1])), {})]


def test_a_tracker_that_nobody_knows_is_left_alone(shown):
    assert shown("mine") == []
