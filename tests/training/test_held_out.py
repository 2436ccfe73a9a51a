"""What is measured on held-out clips: each number against its definition, the same every time."""

import math

import pytest
import torch

from hf_vits.data.batch import VitsBatch
from hf_vits.training.evaluation import evaluate_clip, measure_names, speak_clip
from hf_vits.training.generator import VitsGenerator


@pytest.fixture
def generator(make_model):
    return VitsGenerator(make_model(sampling_rate=2000)).train()


@pytest.fixture
def clip(make_trainer):
    trainer = make_trainer(per_device_train_batch_size=1)
    return next(iter(trainer.batches.epoch(0)))


def test_equal_seeds_give_equal_measures_and_others_do_not(generator, clip):
    first, again, other = (evaluate_clip(generator, clip, seed).measures for seed in (1, 1, 2))
    assert first == again and first["kl"] != other["kl"]
    assert list(first) == measure_names() and all(map(math.isfinite, first.values()))


def test_the_whole_clip_is_rebuilt(generator, clip):
    evaluation = evaluate_clip(generator, clip, 1)
    frames, tokens = int(clip.waveform_lengths) // generator.model.config.hop_length, int(clip.text_lengths)
    assert evaluation.real_mel.shape[1] == evaluation.fake_mel.shape[1] == len(evaluation.token_of_frame) == frames
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
