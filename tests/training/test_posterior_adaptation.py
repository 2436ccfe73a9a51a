"""An adapted posterior encoder is compared with known latents and with the pitch of the recordings, too."""

import logging
import math
import random

import pytest
import torch

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.data.dataset import Columns
from hf_vits.training import latent_pitch, own_speech, posterior_adaptation
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.loggers import read_history
from hf_vits.training.losses import losses_of, negative_log_likelihood
from hf_vits.training.posterior_adaptation import MAX_RATIO, NearSpeech, Prepared, spoken_texts
from hf_vits.training.train_step import clip_generators
from hf_vits.training.trainer import Phase

STEPS = {"posterior_adaptation_steps": 3, "new_module_steps": 0, "adaptation_pairs": 2, "logging_steps": 1}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few utterances, crops and steps."""
    for module, values in {
        posterior_adaptation: {"READ_UTTERANCES": 5, "POOL_SIZE": 4, "CROP_FRAMES": 12},
        latent_pitch: {"READER_STEPS": 2},
        own_speech: {"FIRST_UTTERANCES": 2},
    }.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)


def test_the_phase_trains_the_encoder_alone_says_the_pitches_and_forgets_its_speech(
    make_trainer, tuned, parameters_of, caplog
):
    caplog.set_level(logging.INFO, "hf_vits")
    settings = {**STEPS, "posterior_adaptation_steps": 1, "mixed_precision": "bf16"}
    trainer = make_trainer(start=tuned(), max_steps=2, **settings)
    before, after, prepared = parameters_of(trainer), [], []
    advance = trainer._advance
    trainer._advance = lambda *given: (
        advance(*given),
        after.append(parameters_of(trainer)),
        prepared.append(trainer.adaptation._prepared),
    )
    trainer.train()
    moved = {name for name, value in after[0].items() if not torch.equal(value, before[name])}
    assert {name.split(".")[2] for name in moved if name.startswith("generator.")} == {"posterior_encoder"}
    assert isinstance(prepared[0], Prepared) and prepared[1] is None
    logged = [{name for name in line if name.startswith("train/")} for line in read_history(trainer.output_dir)]
    assert logged[0] == {f"train/{name}" for name in ("kl", "own_speech", "pitch", "voicing", "discriminator")}
    assert "train/mel" in logged[1] and "train/own_speech" not in logged[1]
    card = (trainer.output_dir / "README.md").read_text(encoding="utf-8")
    assert "For 1 steps the posterior encoder alone was adapted to the recordings, and to the base model's own" in card
    clips = trainer.train_dataloader.clips_dataset
    f0 = torch.cat([latent_pitch.pitch_of_frames(clips[number][1], 2000, 8) for number in range(len(clips))])
    said = [message for message in caplog.messages if message.startswith("The recordings' pitch")]
    assert len(said) == 1 and f"pitch is {f0[f0 > 0].median():.0f} Hz in the median, the base voice's" in said[0]


def test_an_encoder_that_takes_mels_gets_mels(make_trainer, tuned):
    trainer = make_trainer(start=tuned(posterior_input="mel"), **STEPS)
    trainer._choose_trained_parameters(Phase.ADAPTATION)
    crops = trainer.adaptation.prepared.speech.crops(0, 2, 12)
    assert crops.features.shape[1] == trainer.generator.module.model.config.num_mel_bins
    assert losses_of("own_speech", trainer.adaptation.own_speech(0))["own_speech"].isfinite()


def test_the_gradient_is_that_of_the_weighted_sum_of_the_losses(make_trainer, tuned, gradient_of_adaptation):
    trainer = make_trainer(start=tuned(), loss_weights={"pitch": 3, "voicing": 0.7, "own_speech": 1.5}, **STEPS)
    trainer._choose_trained_parameters(Phase.ADAPTATION)
    generator: VitsGenerator = trainer.generator.module
    batch = next(iter(trainer.train_dataloader.epoch(0)))
    found = gradient_of_adaptation(trainer, batch, trainer.adaptation)

    out = generator(batch, clip_generators(trainer.args.seed, 0, batch.rows))
    prepared, config = trainer.adaptation.prepared, generator.model.config
    crops = prepared.speech.crops(0, 2, 12)
    mean, log_std = generator.model.posterior_encoder.distribution(crops.features, crops.mask)
    own = config.flow_size * negative_log_likelihood(crops.latents, mean, log_std, crops.weight)
    (read, logits), pitch, nats, frames = prepared.reader(out.latents), 0.0, 0.0, 0
    for number, length in enumerate((batch.waveform_lengths // config.hop_length).tolist()):
        waveform = batch.waveform[number, 0, : int(batch.waveform_lengths[number])]
        f0 = latent_pitch.pitch_of_frames(waveform, config.sampling_rate, config.hop_length)[:length]
        voiced = f0 > 0
        target = torch.log2(f0[voiced] / prepared.medians[None])
        pitch = pitch + (read[number, :length][voiced] - target).abs().sum()
        probability = torch.sigmoid(logits[number, :length])
        nats = nats - torch.where(voiced, probability, 1 - probability).log().sum()
        frames += length
    total = losses_of("prior", out)["kl"] + 1.5 * own + 3 * pitch / frames + 0.7 * nats / frames
    total.backward()
    expected = {name: p.grad for name, p in generator.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys() and all(name.startswith("model.posterior_encoder.") for name in found)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max()))


@pytest.mark.thorough
def test_a_run_that_stopped_in_the_phase_ends_as_one_that_did_not(make_trainer, tuned, parameters_of, assert_equal):
    def run(name, steps):
        settings = {**STEPS, "mixed_precision": "bf16", "match_loudness": True}
        trainer = make_trainer(start=tuned(), output_dir_name=name, max_steps=steps, **settings)
        trainer.train(resume_from_checkpoint="latest")
        return trainer

    whole, parts = run("whole", 2), [run("parts", steps) for steps in (1, 2)][-1]
    assert_equal(parameters_of(parts), parameters_of(whole))


@pytest.mark.thorough
def test_accumulated_batches_weigh_frames_of_pitch_as_the_joint_batch_does(make_trainer, tuned, monkeypatch):
    found = []
    for name, size, count in (("joint", 8, 1), ("cut", 4, 2)):
        settings = {**STEPS, "per_device_train_batch_size": size, "gradient_accumulation_steps": count}
        trainer = make_trainer(start=tuned(), output_dir_name=name, max_steps=1, **settings)
        trainer.train()
        line = read_history(trainer.output_dir)[-1]
        found.append([line[f"train/{loss}"] for loss in ("own_speech", "pitch", "voicing", "kl")])
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_recordings_without_a_pitch_are_adapted_to_without_it(make_trainer, make_data, tuned, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "hf_vits")
    for module in (posterior_adaptation, latent_pitch):
        monkeypatch.setattr(module, "pitch_of_frames", lambda waveform, *_: torch.zeros(len(waveform) // 8))
    trainer = make_trainer(start=tuned(), max_steps=1, **STEPS)
    trainer.train()
    logged = {name for name in read_history(trainer.output_dir)[-1] if name.startswith("train/")}
    assert logged == {"train/kl", "train/own_speech", "train/discriminator"}
    assert "The recordings have no pitch; the posterior encoder is adapted without it." in caplog.messages


def test_each_speaker_of_the_data_has_a_ratio_of_their_own(make_trainer, make_data, tuned, speakers, monkeypatch):
    names = ["bea", "cem"] * 4
    data = make_data(8, speaker=names)
    start = tuned(**speakers)
    trainer = make_trainer(start=start, data=data, columns=Columns(speaker="speaker"), max_steps=1, **STEPS)
    trainer._choose_trained_parameters(Phase.ADAPTATION)
    prepared = trainer.adaptation.prepared
    assert set(prepared.medians) == {1, 2, None} and set(prepared.speech.speakers) == {1, 2}
    ratios = prepared.speech.ratios
    assert set(ratios) == {1, 2, None} and len(set(ratios.values())) == 3
    crops = prepared.speech.crops(0, 6, 12)
    assert set(crops.speaker_ids.tolist()) <= {1, 2}
    batch = next(iter(trainer.train_dataloader.epoch(0)))
    output = trainer.adaptation.pitch(batch, trainer.generator.module.posterior(batch))
    assert set(batch.speaker_id.tolist()) == {1, 2}
    for number, speaker_id in enumerate(batch.speaker_id.tolist()):
        f0 = latent_pitch.pitch_of_frames(batch.waveform[number, 0, : int(batch.waveform_lengths[number])], 2000, 8)
        octaves = torch.where(f0 > 0, torch.log2(f0.clamp(min=1) / prepared.medians[speaker_id]), 0.0)
        torch.testing.assert_close(output.target[number, : len(f0)], octaves)
    trainer.train()
    assert read_history(trainer.output_dir)[-1]["train/pitch"] > 0


def test_pairs_are_near_the_ratio_of_their_speaker(make_start, make_tokenizer, speakers):
    model = make_start(lively=True, **speakers).model.eval()
    speech = NearSpeech(model, make_tokenizer(), ["a hope"], 0, [0, 1], ratios={0: 2.0, None: 0.5})
    for speaker_id, ratio in ((0, 2.0), (1, 0.5)):
        drawn = [speech.other_speaker(random.Random(number), speaker_id) for number in range(100)]
        factors = torch.tensor([change.waveform_pitch for change in drawn])
        assert float(factors.log2().median()) == pytest.approx(math.log2(ratio), abs=0.05)
        assert all(change.pitch == 1 for change in drawn)
    unknown = NearSpeech(model, make_tokenizer(), ["a hope"], 0, [0, 1], ratios={})
    assert unknown.other_speaker(random.Random(0), 0).waveform_pitch == 1
    assert len(unknown.utterance(0, 0).perturbed) == 2


def test_processes_have_pairs_of_their_own_and_read_pitch_alike(make_trainer, tuned):
    trainer = make_trainer(start=tuned(), **STEPS)
    trainer._choose_trained_parameters(Phase.ADAPTATION)
    first = trainer.adaptation.prepared
    trainer.adaptation.release()
    trainer.adaptation.accelerator = type("Other", (), {"process_index": 1, "is_main_process": False})
    second = trainer.adaptation.prepared
    assert first.speech.seed != second.speech.seed
    for left, right in zip(first.reader.parameters(), second.reader.parameters(), strict=True):
        assert torch.equal(left, right)


def test_a_stream_is_refused_unless_the_divergence_is_enough(make_trainer, make_data, tuned):
    stream = make_data().to_iterable_dataset()
    with pytest.raises(ValueError, match="data that is no stream.*`adaptation_pairs` to 0"):
        make_trainer(start=tuned(), data=stream, **STEPS)
    assert make_trainer(start=tuned(), data=stream, **{**STEPS, "adaptation_pairs": 0}).adaptation is None


def test_weights_of_losses_that_are_not_computed_are_refused(make_trainer, tuned):
    for settings in ({"adaptation_pairs": 0}, {"posterior_adaptation_steps": 0}):
        with pytest.raises(ValueError, match="`loss_weights` has pitch, which this run does not compute"):
            make_trainer(start=tuned(), loss_weights={"pitch": 1}, **{**STEPS, **settings})


def test_texts_in_a_language_that_the_voice_does_not_speak_yet_are_not_said(make_base, make_tokenizer):
    model = VitsModel.from_pretrained(make_base())
    rows = [{"text": "a hope"}]
    tokenizer, texts = spoken_texts(model, make_tokenizer(language="fra"), rows, "text")
    assert tokenizer.text_language == VitsTokenizer.from_pretrained(model.name_or_path).text_language
    assert "a hope" not in texts and len(texts) > 10


@pytest.mark.parametrize(
    ("recorded", "base", "ratio"),
    [(180.0, 90.0, 2.0), (90.0, 180.0, 0.5), (500.0, 80.0, MAX_RATIO), (80.0, 500.0, 1 / MAX_RATIO)],
)
def test_the_ratio_of_pitch_is_limited_to_what_overlap_add_can_change(recorded, base, ratio):
    for medians in ({None: recorded}, {None: 1.0, 3: recorded}):  # an unknown speaker has the median of all
        assert posterior_adaptation._ratio(3, medians, {None: base}) == pytest.approx(ratio)
