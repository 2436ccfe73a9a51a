"""`hf-vits complete` completes a voice with the texts and settings it is given, and says how well that went."""

import logging
import os
import signal

import pytest
from training_runs import BASE_TEXTS

from hf_vits.cli import main
from hf_vits.training.completion import Completion
from hf_vits.training.completion_report import read_report

pytest.importorskip("datasets")


@pytest.fixture
def launch(monkeypatch, small_completion, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(BASE_TEXTS))

    def go(*arguments):
        with monkeypatch.context() as quiet:
            quiet.setattr(logging, "basicConfig", lambda **_: None)
            small = ["--max_steps", "2", "--batch_size", "1", "--cpu_threads", "1"]
            return main(["complete", *map(str, arguments), *small])

    return go


def test_it_makes_a_voice_and_prints_the_check(launch, make_base, tmp_path, capsys):
    out = tmp_path / "out"
    assert launch(make_base(), out, "--texts", tmp_path / "texts.txt", "--seed", 5) == 0
    report = read_report(out)
    assert report["settings"] == {"max_steps": 2, "batch_size": 1, "learning_rate": 6e-4, "seed": 5}
    assert report["texts"] == "`texts.txt`"
    printed = capsys.readouterr().out
    assert str(out) in printed and f"{report['after']['mel_distance']:.3f}" in printed
    assert launch(make_base(), out) == 1
    assert "exists and is not empty" in capsys.readouterr().err


def test_ctrl_c_says_that_the_same_command_continues(launch, make_base, tmp_path, monkeypatch, capsys):
    take = Completion.train_step

    def interrupted(self):
        take(self)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Completion, "train_step", interrupted)
    assert launch(make_base(), tmp_path / "out", "--texts", tmp_path / "texts.txt") == 130
    assert "the same command continues" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_wrong_setting_is_an_error_before_anything_is_read(launch, tmp_path, capsys):
    assert launch(tmp_path / "nowhere", tmp_path / "out", "--learning_rate", "0") == 2
    assert "`learning_rate` is '0'; it must be" in capsys.readouterr().err
