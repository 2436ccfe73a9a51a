"""A decoder learns a new voice from converted speech of its own, and from a discriminator of the recordings."""

import logging

import numpy as np
import pytest
import torch

from hf_vits.data.dataset import Columns
from hf_vits.training import converted_speech, envelope_conversion, own_speech, train_step
from hf_vits.training.converted_speech import MAX_OCTAVES, conversion_of, octave_moved
from hf_vits.training.loggers import read_history
from hf_vits.training.losses import losses_of, spectrum_loss
from hf_vits.training.phases import phase_at
from hf_vits.training.trainer import Phase

STEPS = {"conversion_steps": 2, "new_module_steps": 0, "logging_steps": 1}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few recordings, utterances and steps."""
    for module, values in {
        converted_speech: {"MEASURED_CLIPS": 6, "MEASURED_UTTERANCES": 3},
        envelope_conversion: {"STEPS": 3},
        own_speech: {"FIRST_UTTERANCES": 2},
    }.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)


@pytest.mark.thorough
def test_the_phase_trains_the_decoder_and_the_discriminator_alone(make_trainer, tuned, parameters_of, caplog):
    caplog.set_level(logging.INFO, "hf_vits")
    trainer = make_trainer(start=tuned(), max_steps=3, **STEPS)
    before, after, pools = parameters_of(trainer), [], []
    advance = trainer._advance
    trainer._advance = lambda *given: (
        advance(*given),
        after.append(parameters_of(trainer)),
        pools.append(trainer.conversion._prepared),
    )
    trainer.train()
    moved = {name for name, value in after[1].items() if not torch.equal(value, before[name])}
    assert {name.split(".")[2] for name in moved if name.startswith("generator.")} == {"decoder"}
    assert any(name.startswith("discriminator.") for name in moved)
    assert pools[1] is not None and pools[2] is None
    logged = [{name for name in line if name.startswith("train/")} for line in read_history(trainer.output_dir)]
    names = ("converted_spectrum", "converted_waveform", "unpaired_adversarial", "discriminator")
    assert logged[0] == logged[1] == {f"train/{name}" for name in names}
    assert "train/mel" in logged[2] and "train/converted_spectrum" not in logged[2]
    card = (trainer.output_dir / "README.md").read_text(encoding="utf-8")
    assert "For 2 steps the decoder alone learned the base model's own speech, converted" in card
    assert sum("its pitch is moved by" in message for message in caplog.messages) == 1


def test_it_follows_the_adaptation(make_settings, make_start):
    args = make_settings(posterior_adaptation_steps=2, conversion_steps=3, max_steps=9)
    initialization = make_start()
    initialization.new_parameters = frozenset()
    phases = [phase_at(step, args, initialization) for step in range(6)]
    assert phases == [Phase.ADAPTATION] * 2 + [Phase.CONVERSION] * 3 + [Phase.ALL]


@pytest.mark.thorough
def test_a_run_that_stopped_in_the_phase_ends_as_one_that_did_not(make_trainer, tuned, parameters_of, assert_equal):
    def run(name, steps):
        trainer = make_trainer(start=tuned(), output_dir_name=name, max_steps=steps, **STEPS)
        trainer.train(resume_from_checkpoint="latest")
        return trainer

    whole, parts = run("whole", 2), [run("parts", steps) for steps in (1, 2)][-1]
    assert_equal(parameters_of(parts), parameters_of(whole))


def test_segments_are_the_converted_speech_of_their_latents(make_trainer, tuned):
    trainer = make_trainer(start=tuned(), per_device_train_batch_size=2, **STEPS)
    trainer._choose_trained_parameters(Phase.CONVERSION)
    generator = trainer.generator.module
    segments = trainer.conversion.segments(generator, 0, 0, 0)
    again = trainer.conversion.segments(generator, 0, 0, 0)
    assert len(segments.real) == 2 and torch.equal(segments.real, again.real)
    pool = trainer.conversion.prepared
    for said in pool.known.values():
        with torch.no_grad():
            plain = pool.model.decode(said.latents[None])[0, 0]
        torch.testing.assert_close(said.waveform[0], pool.voice(plain, None), rtol=0, atol=1e-5)
        torch.testing.assert_close(said.spectrogram, generator.spectrogram(said.waveform[None])[0])


def test_an_octave_doubles_the_pitch_of_a_voiced_sound():
    time = np.arange(22050) / 22050
    sound = sum(np.cos(2 * np.pi * 100 * number * time) / number for number in range(1, 30)).astype(np.float32) * 0.1
    higher = octave_moved(torch.from_numpy(sound), 1, 22050).numpy()
    spectrum = np.abs(np.fft.rfft(higher * np.hanning(len(higher))))
    assert spectrum[200] > 10 * spectrum[100] and spectrum[400] > 10 * spectrum[300]
    assert torch.equal(octave_moved(torch.from_numpy(sound), 0, 22050), torch.from_numpy(sound))


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(
    ("recorded", "expected"), [(100.0, 0), (150.0, 1), (195.0, 1), (880.0, MAX_OCTAVES), (48.0, -1)]
)
def test_pitch_is_moved_by_the_nearest_octave(make_trainer, tuned, monkeypatch, recorded, expected):
    trainer = make_trainer(start=tuned(), **STEPS)
    monkeypatch.setattr(converted_speech, "recorded_pitches", lambda *_: {None: recorded})
    monkeypatch.setattr(converted_speech, "median_pitches", lambda _: {None: 88.0})
    assert trainer.conversion.prepared.voice.octaves == {None: expected}


def test_speech_without_a_pitch_is_not_moved(make_trainer, tuned, monkeypatch):
    trainer = make_trainer(start=tuned(), **STEPS)
    monkeypatch.setattr(converted_speech, "recorded_pitches", lambda *_: {})
    assert trainer.conversion.prepared.voice.octaves == {None: 0}


def test_each_speaker_of_the_data_has_octaves_and_gains_of_their_own(make_trainer, make_data, tuned, speakers):
    data = make_data(8, speaker=["bea", "cem"] * 4)
    trainer = make_trainer(start=tuned(**speakers), data=data, columns=Columns(speaker="speaker"), **STEPS)
    pool = trainer.conversion.prepared
    assert set(pool.voice.octaves) == {1, 2} == set(pool.speakers)
    assert pool.voice.converter.speakers == 2
    means = pool.voice.converter.target_mean
    assert not torch.allclose(means[0], means[1])


@pytest.mark.thorough
def test_the_discriminator_does_not_see_the_speakers_that_are_kept(
    make_start, make_data, make_trainer, speakers, monkeypatch
):
    names = ["anna", "ben", "cleo"]
    start = make_start(lively=True, **{**speakers, "speaker_names": names})
    frozen = ["text_encoder", "duration_predictor", "flow", "embed_speaker", "posterior_encoder"]
    settings = {**STEPS, "freeze_modules": frozen, "replay_batch_size": 3, "per_device_train_batch_size": 2}
    trainer = make_trainer(
        start=start, data=make_data(8, who=["anna"] * 8), columns=Columns(speaker="who"), max_steps=1, **settings
    )
    compared, seen = [], []

    def counted(stage, *outputs):
        if stage == "conversion":
            compared.append(len(outputs[0].fake))
        return losses_of(stage, *outputs)

    monkeypatch.setattr(train_step, "losses_of", counted)
    discriminator = trainer.discriminator.module
    discriminate = discriminator.sub_discriminators

    def watched():
        for sub_discriminator in discriminate():
            yield lambda waveform, inner=sub_discriminator: (seen.append(len(waveform)), inner(waveform))[1]

    monkeypatch.setattr(discriminator, "sub_discriminators", watched)
    trainer.train()
    assert compared == [2 + 3]
    assert set(seen) == {2 + 2, 2}  # recordings beside converted speech, and this alone


def test_a_stream_is_refused(make_trainer, make_settings, tuned):
    trainer = make_trainer(start=tuned(), **STEPS)
    shared = (trainer.generator.module.model, trainer.processing_class, iter(()), "text", trainer.accelerator)
    with pytest.raises(
        ValueError, match="`conversion_steps` measures the recordings, and needs data that is no stream"
    ):
        conversion_of(make_settings(conversion_steps=2), *shared)
    assert conversion_of(make_settings(), *shared) is None


def test_a_frozen_decoder_cannot_be_converted(make_settings):
    with pytest.raises(ValueError, match="`conversion_steps` is 2.*leave decoder out"):
        make_settings(conversion_steps=2, freeze_modules=["decoder"])


def test_the_loss_of_spectra_is_zero_for_equal_waveforms_and_grows_with_their_difference():
    waveform = torch.randn(2, 1, 4096, generator=torch.Generator().manual_seed(0))
    assert spectrum_loss(waveform, waveform) == 0
    near, far = (spectrum_loss(waveform, waveform * factor) for factor in (0.9, 0.5))
    torch.testing.assert_close(near, torch.tensor(0.1 - np.log(0.9), dtype=torch.float32), rtol=0, atol=2e-3)
    torch.testing.assert_close(far, torch.tensor(0.5 - np.log(0.5), dtype=torch.float32), rtol=0, atol=1e-2)
