"""A decoder that learns a new speaker keeps the sound of those that the data lacks."""

import pytest
import torch

from hf_vits.data.dataset import Columns
from hf_vits.training.replay import Replay, replay_of
from hf_vits.training.train_step import TrainingStep

IDS = torch.tensor([[0, 3, 0, 5, 0, 9, 0, 4, 0]])
NAMES = ["anna", "ben", "cleo"]
RECIPE = {
    "freeze_modules": ["text_encoder", "duration_predictor", "flow", "embed_speaker", "posterior_encoder"],
    "new_module_steps": 0,
}


@pytest.fixture
def make_run(make_start, make_data, make_trainer, speakers):
    """A trainer of a voice of three speakers, on data of the first one."""

    def make(who=("anna",), **settings):
        start = make_start(lively=True, **{**speakers, "speaker_names": NAMES})
        data = make_data(8, who=[who[clip % len(who)] for clip in range(8)])
        return make_trainer(start=start, data=data, columns=Columns(speaker="who"), **{**RECIPE, **settings})

    return make


def test_segments_are_what_the_model_decoded_before_training(make_run):
    trainer = make_run(replay_batch_size=6, segment_frames=20)
    generator = trainer.generator.module
    for step in range(3):
        segments = trainer.replay.segments(generator, step)
        assert segments.real.shape == (6, 1, 20 * generator.model.config.hop_length)
        edge = generator.model.config.decoder_config.receptive_field * generator.model.config.hop_length
        assert 2 * edge < segments.real.shape[-1]
        inner = slice(edge, -edge)  # what lies nearer the ends of a segment depends on frames outside it
        torch.testing.assert_close(segments.fake[..., inner], segments.real[..., inner], rtol=0, atol=1e-5)


def test_only_speakers_that_the_data_lacks_are_replayed(make_run):
    replay = make_run(replay_batch_size=2, who=("anna", "cleo")).replay
    assert replay.speakers == [1]
    assert make_run(replay_batch_size=2, who=NAMES, output_dir_name="all").replay is None
    assert make_run(output_dir_name="none").replay is None


def test_a_voice_of_one_speaker_has_nobody_to_keep(make_trainer):
    assert make_trainer(replay_batch_size=2).replay is None


def test_a_stream_whose_speakers_are_unknown_is_refused(make_run, make_settings):
    trainer = make_run()
    with pytest.raises(ValueError, match="`replay_batch_size` needs data that is no stream"):
        replay_of(make_settings(replay_batch_size=2), trainer.generator.module.model, loader=iter(()))


@pytest.mark.parametrize("left_out", ["text_encoder", "duration_predictor", "flow", "embed_speaker"])
def test_others_are_not_changed_by_what_all_share(make_run, left_out):
    frozen = [name for name in RECIPE["freeze_modules"] if name != left_out]
    with pytest.raises(ValueError, match="other speakers than ben, cleo, who would change.*To keep them, set it to"):
        make_run(replay_batch_size=2, freeze_modules=frozen)
    assert make_run(replay_batch_size=0, freeze_modules=frozen).replay is None


@pytest.mark.slow
def test_another_speaker_changes_less_with_replay_than_without(make_run):
    def change(size):
        trainer = make_run(output_dir_name=f"{size}", replay_batch_size=size, max_steps=40, learning_rate=2e-3)

        def speak():
            model, noise = trainer.generator.module.model, torch.Generator().manual_seed(1)
            model.eval()
            with torch.no_grad():
                return model(IDS, speaker_id=1, generator=noise).waveform

        before = speak()
        trainer.generator.module.train()
        trainer.train()
        after = speak()
        assert after.shape == before.shape  # its latents and durations are the same
        return float((after - before).abs().mean())

    assert change(6) < 0.7 * change(0)


def test_replayed_segments_are_part_of_every_loss_of_the_decoder(make_run, monkeypatch):
    """The mel loss is the mean over the batch's segments and those of other speakers."""
    trainer = make_run(replay_batch_size=4, per_device_train_batch_size=4)
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.args, trainer.accelerator, trainer.replay)
    seen = []
    generator = trainer.generator.module
    decode = generator.decode_latents
    monkeypatch.setattr(generator, "decode_latents", lambda *a: seen.append(decode(*a)) or seen[-1])
    losses = step([next(iter(trainer.train_dataloader.epoch(0)))], 0, 0).losses
    assert [len(segments.real) for segments in seen] == [4, 4]
    means = [float((one.real_mel - one.fake_mel.detach()).abs().mean()) for one in seen]
    assert float(losses["mel"]) == pytest.approx(sum(means) / 2, rel=1e-5)


def test_segments_follow_from_seed_and_step_whatever_was_drawn_before(make_run):
    trainer = make_run(replay_batch_size=3)
    generator, texts = trainer.generator.module, trainer.replay.texts
    late = Replay(generator.model, texts, [1, 2], 3, seed=5)
    whole = Replay(generator.model, texts, [1, 2], 3, seed=5)
    for step in range(0, 40, 5):
        expected = whole.segments(generator, step)
    assert torch.equal(late.segments(generator, 35).real, expected.real)
    assert not torch.equal(late.segments(generator, 35, 1).real, expected.real)
    assert not torch.equal(late.segments(generator, 34).real, expected.real)
    assert len(whole.known) <= 64


@pytest.mark.thorough
def test_a_run_with_replay_that_stopped_ends_as_one_that_did_not(make_run, parameters_of, assert_equal):
    def run(name, steps):
        trainer = make_run(output_dir_name=name, max_steps=steps, save_steps=1, replay_batch_size=2)
        trainer.train(resume_from_checkpoint="latest")
        return parameters_of(trainer)

    whole, _ = run("whole", 3), run("parts", 1)
    assert_equal(run("parts", 3), whole)
