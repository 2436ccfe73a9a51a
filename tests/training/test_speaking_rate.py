"""The rate of a saved model is that of its recordings: exact for a speaker who is k times slower than predicted."""

import json

import pytest
import torch

from hf_vits.data.dataset import Clip, Columns, collate
from hf_vits.modules.masks import durations_to_index
from hf_vits.training import generator as training_generator
from hf_vits.training import speaking_rate
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.speaking_rate import fit_speaking_rate, predicted_frames, solve_rate

SLOWER = (0.7, 1.0, 1.37, 1.9)
TOKENS = [0, 3, 0, 5, 0, 9, 0, 4, 0, 7, 0, 3, 0, 8, 0]


@pytest.mark.parametrize("k", SLOWER)
def test_the_rate_of_a_speaker_who_is_k_times_slower_is_one_by_k(k):
    predicted = torch.rand(5000, generator=torch.Generator().manual_seed(1)) * 8
    frames = int(torch.ceil(predicted.double() * k).sum())
    rate = solve_rate(predicted, frames)
    assert rate == pytest.approx(1 / k, rel=1e-3)
    assert int(torch.ceil(predicted.double() / rate).sum()) == frames


def test_a_rate_that_is_not_plausible_is_none():
    predicted = torch.full((10,), 4.0)
    assert solve_rate(predicted, 40) == pytest.approx(1)
    assert solve_rate(predicted, 81) is None and solve_rate(predicted, 19) is None
    assert solve_rate(predicted, 80) == pytest.approx(0.5) and solve_rate(predicted, 20) == pytest.approx(2)


@pytest.mark.parametrize("k", SLOWER)
def test_recordings_that_are_k_times_slower_than_predicted_give_one_by_k_whatever_their_silence(
    make_model, monkeypatch, k
):
    """The alignment is given: inner tokens have k times the predicted frames, those at both ends any number."""
    model, edges = make_model(sampling_rate=2000), speaking_rate.EDGE_TOKENS
    predicted = 20 + 30 * torch.rand(len(TOKENS), generator=torch.Generator().manual_seed(2))
    durations, batches = [], []
    for row, silence in enumerate((0, 300, 70)):
        frames = torch.ceil(predicted.double() * k).long()
        frames[:edges] += silence
        frames[-edges:] += 2 * silence
        durations.append(frames[None])
        waveform = 0.1 * torch.randn(int(frames.sum()) * model.config.hop_length)
        batches.append(collate([(Clip(row, TOKENS, len(waveform)), waveform)]))
    given = iter(durations)

    def search(scores, text_lengths, frame_lengths):
        return durations_to_index(next(given), scores.shape[1]), torch.ones(1, dtype=torch.bool)

    monkeypatch.setattr(training_generator, "search_where_finite", search)
    monkeypatch.setattr(type(model), "log_durations", lambda self, hidden, arguments: predicted.log()[None, None])
    assert fit_speaking_rate(VitsGenerator(model), batches, seed=5) == pytest.approx(1 / k, rel=0.01)


def test_predicted_frames_are_those_that_the_model_speaks_with(make_model):
    model = make_model(sampling_rate=2000).eval()
    ids = torch.tensor([TOKENS])
    batch = collate([(Clip(0, TOKENS, 800), torch.zeros(800))])
    with torch.no_grad():
        frames = predicted_frames(VitsGenerator(model).eval(), batch, None, torch.Generator().manual_seed(3))
    for rate in (0.7, 1.0, 1.6):
        spoken = model.prior(ids, speaking_rate=rate, generator=torch.Generator().manual_seed(3)).durations
        assert torch.equal(torch.ceil(frames / rate).long(), spoken[0])


def test_a_run_saves_the_rate_and_trains_as_without(make_trainer, make_model, parameters_of, assert_equal, monkeypatch):
    monkeypatch.setattr(speaking_rate, "fit_speaking_rate", lambda _, batches, seed: 0.5 + len(list(batches)) / 100)
    fitted = make_trainer(max_steps=1, fit_speaking_rate=True, output_dir_name="fitted")
    fitted.train()
    plain = make_trainer(max_steps=1, output_dir_name="plain")
    plain.train()
    for folder in (fitted.output_dir, fitted.output_dir / "checkpoint-1"):
        assert json.loads((folder / "config.json").read_text())["speaking_rate"] == 0.58, "all eight clips"
    assert json.loads((plain.output_dir / "config.json").read_text()).get("speaking_rate", 1.0) == 1.0
    assert_equal(parameters_of(fitted), parameters_of(plain))


def test_the_longest_recordings_are_measured_and_not_what_they_are_joined_to(make_trainer, monkeypatch):
    lengths = []
    monkeypatch.setattr(speaking_rate, "CLIPS", 3)
    monkeypatch.setattr(
        speaking_rate,
        "fit_speaking_rate",
        lambda _, batches, seed: lengths.extend(int(b.waveform_lengths) for b in batches),
    )
    trainer = make_trainer(max_steps=1, fit_speaking_rate=True, join_clips_seconds=8.5)
    trainer.save_model()
    samples = sorted(clip.num_samples for clip in trainer.train_dataloader.clips_dataset.clips)
    assert lengths == samples[-3:]


def test_the_rate_is_not_fitted_by_an_untrained_posterior_encoder(make_trainer, monkeypatch):
    calls = []
    monkeypatch.setattr(speaking_rate, "fit_speaking_rate", lambda generator, batches, seed: calls.append(seed))
    trainer = make_trainer(max_steps=1, fit_speaking_rate=True, new_module_steps=2)
    trainer.initialization.new_parameters = frozenset({"posterior_encoder.conv_pre.weight"})
    trainer.save_checkpoint()
    assert not calls
    trainer.progress.step, trainer.loaded_step = 2, 1
    trainer.save_model()
    assert not calls, "the model is the best one, of step 1"
    trainer.loaded_step = None
    trainer.save_checkpoint()
    trainer.save_model()
    assert len(calls) == 1, "once a step"


def test_a_stream_is_refused_and_a_voice_of_several_speakers_keeps_its_rate(
    make_trainer, make_start, make_data, caplog
):
    with pytest.raises(ValueError, match="`fit_speaking_rate` needs data that is no stream"):
        make_trainer(data=make_data().to_iterable_dataset(), fit_speaking_rate=True)
    start = make_start(num_speakers=2, speaker_embedding_size=4, speaker_names=["ann", "bob"])
    data = make_data(4, speaker=["ann", "bob"] * 2)
    trainer = make_trainer(
        start=start, data=data, columns=Columns(speaker="speaker"), fit_speaking_rate=True, max_steps=1
    )
    trainer.train()
    assert "a voice has one rate, and this one has 2 speakers" in caplog.text
    assert trainer.output_model.config.speaking_rate == start.model.config.speaking_rate == 1
