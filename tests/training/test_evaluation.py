"""An evaluation is of all clips, and a voice that cannot speak yet is no reason to end a run."""

import json

import pytest
import torch

from hf_vits.kernels import conv1d
from hf_vits.training.evaluation import SHOWN_CLIPS, evaluate_clip, measure_names
from hf_vits.training.loggers import ExperimentLogger, read_history


@pytest.fixture
def trainer(make_trainer, make_data):
    return make_trainer(held_out=make_data(5))


@pytest.fixture
def reporter(trainer):
    return ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.config)


def test_each_measure_is_the_mean_over_all_clips(trainer, reporter):
    from hf_vits.data.dataset import collate

    evaluation = trainer.evaluation
    clips = [evaluate_clip(evaluation.generator, collate([clip]), trainer.config.seed) for clip in evaluation.clips]
    measured = evaluation.run(3, reporter)
    for name in measure_names():
        mean = sum(clip.measures[name] for clip in clips) / 5
        assert measured[f"held_out/{name}"] == pytest.approx(mean, rel=1e-5)
    assert read_history(trainer.output_dir)[-1] == {"step": 3, **measured}


def test_some_clips_are_spoken_and_drawn_and_recordings_only_once(trainer, reporter):
    for step in (0, 2):
        trainer.evaluation.run(step, reporter)
    begun, later = (trainer.output_dir / "samples" / f"step-{step}" for step in (0, 2))
    assert len(list(begun.glob("*-recorded.wav"))) == SHOWN_CLIPS and not list(later.glob("*-recorded.wav"))
    for folder in (begun, later):
        assert len(list(folder.glob("row-?.wav"))) == len(list(folder.glob("*.png"))) == SHOWN_CLIPS


def test_what_is_evaluated_is_the_average(make_trainer, make_data):
    trainer = make_trainer(held_out=make_data(2), ema_decay=0.9)
    measured = trainer.evaluation.run(
        0, reporter := ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.config)
    )
    with torch.no_grad():
        for parameter in trainer.generator.module.parameters():
            parameter.add_(0.1)
    assert trainer.evaluation.run(1, reporter) == measured
    trainer.average.update_parameters(trainer.generator.module.model)
    assert trainer.evaluation.run(2, reporter) != measured


def test_a_voice_that_cannot_speak_yet_is_a_warning_and_is_trained_on(make_trainer, make_data, monkeypatch, caplog):
    def fail(*_):
        raise ValueError("The speech would last 95459 s; one call makes at most 600 s.")

    monkeypatch.setattr("hf_vits.training.evaluation.speak_clip", fail)
    trainer = make_trainer(held_out=make_data(2), max_steps=2, eval_steps=1)
    assert trainer.train().step == 2
    assert "At step 1 the voice cannot speak row-0: The speech would last 95459 s" in caplog.text
    samples = trainer.output_dir / "samples" / "step-2"
    assert list(samples.glob("*.png")) and not list(samples.glob("*.wav"))
    assert json.loads((trainer.output_dir / "history.jsonl").read_text().splitlines()[-1])["held_out/mel"] > 0


def test_weights_are_transformed_once_for_all_clips_and_dropped_after(trainer, reporter, monkeypatch):
    made = []
    for name in ("_flat", "_spectrum", "_values", "_phases"):
        derive = getattr(conv1d, name)
        monkeypatch.setattr(conv1d, name, lambda layer, derive=derive: made.append(layer) or derive(layer))
    trainer.evaluation.run(1, reporter)
    assert made and len(set(made)) == len(made)
    assert not any(map(conv1d.has_cache, made))
    assert trainer.evaluation.generator.training
