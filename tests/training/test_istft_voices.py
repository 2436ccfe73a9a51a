"""Voices with iSTFT decoders are trained with their own losses, and can be distilled."""

import json

import pytest
import torch
from tiny_voices import SMALLEST, TINY
from training_runs import BASE_TEXTS, NO_DROPOUT, RATE, SMALL_DISCRIMINATOR

from hf_vits import VitsConfig, VitsModel
from hf_vits.cli import main
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminatorConfig
from hf_vits.doctor import examine
from hf_vits.modules.filter_banks import split_bands
from hf_vits.training import ModelInitialization
from hf_vits.training.completed_base import load_base
from hf_vits.training.distillation import with_decoder
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.loggers import read_history
from hf_vits.training.optimizer import check_modules

BLOCKS = {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1]]}
SIZES = {"upsample_initial_channel": 8, "upsample_rates": [2], "upsample_kernel_sizes": [4], **BLOCKS}
FIELDS = {
    name: value for name, value in {**TINY, **SMALLEST}.items() if not name.startswith(("upsample_", "resblock_"))
}
LOSS = {"istft": False, "multiband_istft": True, "multistream_istft": True}
each_decoder = pytest.mark.parametrize("kind", LOSS)


def sizes_of(kind):
    return {"type": kind, **SIZES, "fft_size": 16 if kind == "istft" else 4}


@pytest.fixture
def make_new(make_start):
    def make(kind):
        config = VitsConfig(**FIELDS, **NO_DROPOUT, sampling_rate=RATE, decoder=sizes_of(kind))
        return ModelInitialization.from_scratch(config, VitsDiscriminatorConfig(**SMALL_DISCRIMINATOR), seed=1)

    return make


@pytest.mark.thorough
@pytest.mark.parametrize(
    "kind",
    ["multiband_istft", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("istft", "multistream_istft"))],
)
def test_two_steps_train_all_of_the_decoder_with_its_losses(kind, make_new, make_trainer, make_data):
    data = make_data(2)
    trainer = make_trainer(
        start=make_new(kind), data=data, eval_dataset=data, max_steps=2, eval_steps=2, logging_steps=1, ema_decay=0,
        mixed_precision="bf16",
    )  # fmt: skip
    before = {name: value.clone() for name, value in trainer.generator.module.model.decoder.state_dict().items()}
    trainer.train()
    after = trainer.generator.module.model.decoder.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    assert not [name for name, value in before.items() if torch.equal(value, after[name])]
    names = {name for line in read_history(trainer.output_dir) for name in line}
    assert ({"train/subband_stft", "eval/subband_stft"} <= names) == LOSS[kind]
    assert ("subband_stft: Difference of the spectra" in (trainer.output_dir / "README.md").read_text()) == LOSS[kind]
    assert trainer.generator.module.model.config.decoder_config.title in (trainer.output_dir / "README.md").read_text()
    assert not [found for found in examine(trainer.output_dir).diagnostics if found.severity == "error"]
    (trainer.output_dir / "config.json").unlink()
    (missing,) = (found for found in examine(trainer.output_dir).diagnostics if found.id.startswith("config."))
    assert missing.details["weights"]["decoder"]["type"] == kind


@each_decoder
def test_the_bands_that_are_compared_are_those_of_the_decoder_and_of_the_recording(kind, make_new):
    model = make_new(kind).model
    generator, latents, speech = VitsGenerator(model, 8), torch.randn(1, 8, 8), torch.randn(1, 1, 64)
    spectrogram, start = torch.ones(1, 9, 8), torch.zeros(1, dtype=torch.long)
    mask = (torch.arange(8) < 6).float()[None, None]  # the clip ends after 6 frames
    with torch.no_grad():
        out = generator.decode_latents(speech, start, spectrogram, mask, latents, None)
        if kind == "istft":
            assert out.real_bands is out.fake_bands is None and out.requested_losses == ()
            return
        both = out.joined(out)
        decoder = model.decoder
        bands = decoder.sub_bands(latents) if kind == "multiband_istft" else split_bands(decoder(latents))
    assert both.fake_bands.shape == (2, 4, 16) and both.requested_losses == ("subband_stft",)
    torch.testing.assert_close(out.fake_bands[..., :12], bands[..., :12], rtol=0, atol=0)
    assert not out.fake_bands[..., 12:].any()
    real = speech * (torch.arange(64) < 48)
    torch.testing.assert_close(out.real_bands, split_bands(real), rtol=0, atol=0)


@each_decoder
@pytest.mark.parametrize(
    "settings",
    [
        {"loss_weights": {"subband_stft": 2}},
        {"metric_for_best_model": "subband_stft", "load_best_model_at_end": True, "eval_steps": 1, "save_steps": 1},
    ],
    ids=["weight", "metric"],
)
def test_the_sub_band_loss_is_refused_for_a_decoder_that_has_none(kind, settings, make_new, make_settings):
    model, args = make_new(kind).model, make_settings(**settings)
    if LOSS[kind]:
        check_modules(model, args)
    else:
        with pytest.raises(ValueError, match="subband_stft, which this run does not compute"):
            check_modules(model, args)


def test_a_name_alone_is_a_decoder_of_the_voices_hop(make_base):
    voice = load_base(str(make_base())).model
    config = with_decoder(voice, {"type": "multiband_istft", "upsample_initial_channel": 8}, seed=0).config
    assert config.hop_length == voice.config.hop_length == 8
    assert config.decoder["upsample_rates"] == [2] and config.decoder["fft_size"] == 4


@pytest.mark.thorough
def test_a_voice_is_distilled_into_the_decoder(make_base, tmp_path):
    texts, base, out = tmp_path / "texts.txt", make_base(), tmp_path / "out"
    texts.write_text("\n".join(BASE_TEXTS))
    small = {"type": "multiband_istft", "upsample_initial_channel": 8, **BLOCKS}
    options = ["--decoder", json.dumps(small), "--texts", str(texts), "--max_steps", "2", "--logging_steps", "1"]
    options += ["--cpu_threads", "1", "--segment_frames", "16", "--per_device_train_batch_size", "1"]
    options += ["--discriminator_config", json.dumps(SMALL_DISCRIMINATOR), "--report_to", "none"]
    assert main(["distill", str(base), str(out), *options]) == 0
    distilled, voice = VitsModel.from_pretrained(out), VitsModel.from_pretrained(base)
    assert distilled.config.decoder["type"] == "multiband_istft" and distilled.config.hop_length == 8
    assert torch.equal(distilled.text_encoder.project.weight, voice.text_encoder.project.weight)
    names = {name for line in read_history(out) for name in line}
    assert {"train/subband_stft", "eval/subband_stft"} <= names
