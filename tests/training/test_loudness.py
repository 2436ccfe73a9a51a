"""Recordings are scaled to the level at which the base model speaks."""

import numpy as np
import pytest
import torch

from hf_vits.training.loudness import speech_level

RATE = 8000


def sine(seconds: float, amplitude: float) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * 200 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.mark.parametrize("silence", (0.0, 0.3, 2.0))
def test_the_level_of_a_sine_is_its_effective_value_whatever_the_pauses_around_it(silence):
    pause = np.zeros(int(silence * RATE), np.float32)
    waveform = np.concatenate([pause, sine(1, 0.5), pause, sine(0.5, 0.5)])
    assert speech_level([waveform], RATE) == pytest.approx(10 * np.log10(0.5**2 / 2), abs=0.01)


def test_twice_the_amplitude_is_six_decibels_more_and_silence_has_no_level():
    low, high = speech_level([sine(1, 0.2)], RATE), speech_level([sine(1, 0.4)], RATE)
    assert high - low == pytest.approx(20 * np.log10(2), abs=1e-5)
    assert speech_level([np.zeros(RATE, np.float32)], RATE) == speech_level([], RATE) == -np.inf


def test_clips_of_training_and_evaluation_get_the_level_of_the_model(make_trainer, make_start, make_data):
    data = {"data": make_data(8), "eval_dataset": make_data(4)}
    trainer = make_trainer(start=make_start(lively=True), **data, match_loudness=True)
    rate, model = trainer.initialization.model.config.sampling_rate, trainer.initialization.model
    plain = make_trainer(data=make_data(8), output_dir_name="plain")
    ids = [clip.input_ids for clip, _ in plain.train_dataloader.examples(8)]
    model.eval()
    with torch.no_grad():
        spoken = [
            model(torch.tensor([one]), generator=torch.Generator().manual_seed(number)).waveform[0].numpy()
            for number, one in enumerate(ids)
        ]
    recorded = [waveform.numpy() for _, waveform in plain.train_dataloader.examples(8)]
    scaled = [waveform.numpy() for _, waveform in trainer.train_dataloader.examples(8)]
    gain = trainer.eval_clips.gain
    assert gain == pytest.approx(10 ** ((speech_level(spoken, rate) - speech_level(recorded, rate)) / 20), rel=1e-5)
    for before, after in zip(recorded, scaled, strict=True):
        np.testing.assert_allclose(after, before * gain, rtol=1e-6)


def test_a_loud_model_does_not_make_recordings_clip(make_trainer, make_start, make_data, monkeypatch):
    monkeypatch.setattr("hf_vits.training.loudness.spoken_level", lambda *arguments: 20.0)
    trainer = make_trainer(start=make_start(lively=True), data=make_data(8), match_loudness=True)
    peak = max(float(waveform.abs().max()) for _, waveform in trainer.train_dataloader.examples(8))
    assert peak == pytest.approx(1, abs=1e-6)


def test_recordings_have_no_level_to_match_in_a_new_model(make_trainer):
    with pytest.raises(ValueError, match="`match_loudness` needs a model that can speak, and this one is new"):
        make_trainer(match_loudness=True)


def test_a_stream_cannot_be_scaled(make_trainer, make_start, make_data):
    with pytest.raises(ValueError, match="`match_loudness` needs data that is no stream.*set it to false"):
        make_trainer(start=make_start(lively=True), data=make_data(8).to_iterable_dataset(), match_loudness=True)
