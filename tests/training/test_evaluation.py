"""An evaluation is of all clips, and a voice that cannot speak yet is no reason to end a run."""

import json
import math

import numpy as np
import pytest
import torch

from hf_vits.data.batch import VitsBatch
from hf_vits.training.evaluation import SHOWN_CLIPS, EvalSample, clip_figure, evaluate_clip, measure_names, speak_clip
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.loggers import ExperimentLogger, read_history


@pytest.fixture
def trainer(make_trainer, make_data):
    return make_trainer(eval_dataset=make_data(5))


@pytest.fixture
def experiment(trainer):
    return ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.args)


@pytest.mark.thorough
def test_each_measure_is_the_mean_over_all_clips(trainer, experiment):
    from hf_vits.data.dataset import collate

    evaluation = trainer.evaluation
    clips = [evaluate_clip(evaluation.generator, collate([clip]), trainer.args.seed) for clip in evaluation.clips]
    measured = evaluation.run(3, experiment)
    for name in measure_names():
        mean = sum(clip.measures[name] for clip in clips) / 5
        assert measured[f"eval/{name}"] == pytest.approx(mean, rel=1e-5)
    assert read_history(trainer.output_dir)[-1] == {"step": 3, **measured}


@pytest.mark.thorough
def test_some_clips_are_spoken_and_drawn_and_recordings_only_once(trainer, experiment):
    for step in (0, 2):
        trainer.evaluation.run(step, experiment)
    begun, later = (trainer.output_dir / "samples" / f"step-{step}" for step in (0, 2))
    assert len(list(begun.glob("*-recorded.wav"))) == SHOWN_CLIPS and not list(later.glob("*-recorded.wav"))
    for folder in (begun, later):
        assert len(list(folder.glob("row-?.wav"))) == len(list(folder.glob("*.png"))) == SHOWN_CLIPS


@pytest.mark.thorough
def test_what_is_evaluated_is_the_average(make_trainer, make_data):
    trainer = make_trainer(eval_dataset=make_data(2), ema_decay=0.9)
    measured = trainer.evaluation.run(
        0, experiment := ExperimentLogger(trainer.accelerator, trainer.output_dir, trainer.args)
    )
    with torch.no_grad():
        for parameter in trainer.generator.module.parameters():
            parameter.add_(0.1)
    assert trainer.evaluation.run(1, experiment) == measured
    trainer.ema.update_parameters(trainer.generator.module.model)
    assert trainer.evaluation.run(2, experiment) != measured


@pytest.mark.thorough
def test_a_voice_that_cannot_speak_yet_is_a_warning_and_is_trained_on(make_trainer, make_data, monkeypatch, caplog):
    def fail(*_):
        raise ValueError("The speech would last 95459 s; one call makes at most 600 s.")

    monkeypatch.setattr("hf_vits.training.evaluation.speak_clip", fail)
    trainer = make_trainer(eval_dataset=make_data(2), max_steps=2, eval_steps=1)
    assert trainer.train().step == 2
    assert "At step 1 the model cannot speak row-0: The speech would last 95459 s" in caplog.text
    samples = trainer.output_dir / "samples" / "step-2"
    assert list(samples.glob("*.png")) and not list(samples.glob("*.wav"))
    assert json.loads((trainer.output_dir / "history.jsonl").read_text().splitlines()[-1])["eval/mel"] > 0


@pytest.mark.thorough
def test_weights_are_transformed_once_for_all_clips_and_dropped_after(trainer, experiment, monkeypatch):
    conv1d = pytest.importorskip("hf_vits.kernels.conv1d")
    made = []
    for owner, name in (
        *((conv1d, name) for name in ("_flat", "_matrix", "_phases")),
        *((conv1d.fft_conv, "spectrum"), (conv1d.winograd, "values")),
    ):
        derive = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda layer, derive=derive: made.append(layer) or derive(layer))
    trainer.evaluation.run(1, experiment)
    assert made and len(set(made)) == len(made)
    assert not any(map(conv1d.has_cache, made))
    assert trainer.evaluation.generator.training


@pytest.fixture
def generator(make_model):
    return VitsGenerator(make_model(sampling_rate=2000)).train()


@pytest.fixture
def clip(make_trainer):
    trainer = make_trainer(per_device_train_batch_size=1)
    return next(iter(trainer.train_dataloader.epoch(0)))


def test_equal_seeds_give_equal_measures_and_others_do_not(generator, clip):
    first, again, other = (evaluate_clip(generator, clip, seed).measures for seed in (1, 1, 2))
    assert first == again and first["kl"] != other["kl"]
    assert list(first) == measure_names() and all(map(math.isfinite, first.values()))


def test_the_whole_clip_is_rebuilt(generator, clip):
    evaluation = evaluate_clip(generator, clip, 1)
    frames, tokens = int(clip.waveform_lengths) // generator.model.config.hop_length, int(clip.text_lengths)
    assert evaluation.real_mel.shape[1] == evaluation.fake_mel.shape[1] == len(evaluation.token_index) == frames
    assert evaluation.scores.shape == (frames, tokens)
    assert evaluation.measures["mel"] == pytest.approx(float((evaluation.real_mel - evaluation.fake_mel).abs().mean()))


def test_focus_is_the_mean_probability_of_the_likeliest_token(generator, clip, monkeypatch):
    from hf_vits.training import evaluation

    shape = (1, int(clip.waveform_lengths) // generator.model.config.hop_length, int(clip.text_lengths))
    level = torch.zeros(shape)
    monkeypatch.setattr(evaluation, "_scores", lambda *_: level)
    assert evaluate_clip(generator, clip, 1).measures["focus"] == pytest.approx(1 / shape[2])
    level[:, ::2, 0] = 100.0  # every other frame is sure of its token
    sure = math.ceil(shape[1] / 2) / shape[1]
    assert evaluate_clip(generator, clip, 1).measures["focus"] == pytest.approx(sure + (1 - sure) / shape[2])


def test_the_generator_is_in_training_again_even_after_an_error(generator, clip):
    evaluate_clip(generator, clip, 1)
    speak_clip(generator, clip, 1)
    assert generator.training and all(module.training for module in generator.model.modules())
    with torch.no_grad():
        next(generator.model.duration_predictor.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        speak_clip(generator, clip, 1)
    assert all(module.training for module in generator.model.modules())


def test_what_is_spoken_is_a_waveform_of_the_clips_text(generator, clip):
    spoken = speak_clip(generator, clip, 1)
    assert spoken.dim() == 1 and len(spoken) and torch.equal(spoken, speak_clip(generator, clip, 1))
    other = VitsBatch(**{**vars(clip), "input_ids": clip.input_ids.flip(1)})
    spoken_backwards = speak_clip(generator, other, 1)
    assert len(spoken) != len(spoken_backwards) or not torch.equal(spoken, spoken_backwards)


@pytest.fixture
def sample():
    noise = torch.Generator().manual_seed(0)
    mels, scores = torch.randn(2, 4, 12, generator=noise), torch.randn(12, 5, generator=noise)
    return EvalSample({"focus": 0.756}, *mels, scores, torch.arange(12) * 5 // 12)


def test_a_clips_picture_has_its_mels_and_its_alignment(sample):
    spoken = torch.zeros(4, 9)
    axes = clip_figure(sample, spoken).axes
    assert [axis.get_title() for axis in axes] == [
        *("recording", "reconstruction", "spoken from its text"),
        "alignment, focus 0.76",
    ]
    shown = [axis.images[0].get_array() for axis in axes]
    for image, mel in zip(shown, (sample.real_mel, sample.fake_mel, spoken), strict=False):
        assert np.array_equal(image, mel)
    assert np.allclose(shown[-1], sample.scores.softmax(-1).T)
    assert np.array_equal(axes[-1].lines[0].get_ydata(), sample.token_index)


def test_mels_of_one_picture_have_one_scale(sample):
    limits = {axis.images[0].get_clim() for axis in clip_figure(sample, torch.full((4, 9), 50.0)).axes[:3]}
    assert limits == {(float(sample.real_mel.min()), float(sample.real_mel.max()))}


def test_a_voice_that_cannot_speak_yet_has_a_picture_without_speech(sample):
    assert [axis.get_title() for axis in clip_figure(sample).axes[:-1]] == ["recording", "reconstruction"]
