"""Every tracker of Accelerate is given sounds and pictures in its own way; those that are not installed are played."""

import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import soundfile
from accelerate.utils import LoggerType

from hf_vits.training.loggers import GIVE, show


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
            show(tracker, file, 7)
        return [(call[0], *call[1:]) for call in tracker.mock_calls if not call[0].endswith("get_logger")]

    return calls


def test_every_tracker_is_known():
    assert GIVE.keys() == {tracker.value for tracker in LoggerType} - {"all"}


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
