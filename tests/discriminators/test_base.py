"""Sub-discriminators that are added by name or by fields work wherever others do: here those that see spectra."""

import json

import pytest
import torch

from hf_vits.conversion.discriminators import convert_discriminator
from hf_vits.discriminators.base import DISCRIMINATORS
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.training import ModelAndDataArguments, ModelInitialization

SMALL = [
    {"type": "multi_resolution", "fft_size": 32, "hop_length": 6, "win_length": 20, "channels": 4},
    {"type": "multi_band", "win_length": 64, "channels": 4},
]
ALONE = {"periods": [], "scales": 0, "additional_discriminators": SMALL}
KINDS = ("multi_resolution", "multi_band")


@pytest.mark.parametrize(("kind", "count"), [("multi_resolution", 3), ("multi_band", 3)])
def test_the_usual_ones_are_three_of_32_channels_and_their_weights_are_counted(kind, count):
    config = VitsDiscriminatorConfig.from_names([kind])
    assert len(config.sub_discriminators) == count and not config.periods and not config.scales
    with torch.device("meta"):
        discriminator = VitsDiscriminator(config)
    for (_, own), one in zip(config.sub_discriminators, discriminator.discriminators, strict=True):
        weights = sum(p.numel() for name, p in one.named_parameters() if name.endswith("original1"))
        assert own.count_parameters() == weights


@pytest.mark.parametrize("silent", [False, True])
def test_gradients_reach_the_waveform_and_every_weight_and_are_finite(waveform, silent):
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(**ALONE))
    waveform = (waveform * (not silent)).requires_grad_()
    sum(logits.sum() for logits in discriminator(waveform).logits).backward()
    assert torch.isfinite(waveform.grad).all() and (silent or waveform.grad.any(dim=-1).all())
    for name, parameter in discriminator.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert silent or parameter.grad.any(), name


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "multi_resolution", "win_length": 2000}, "`win_length` 2000"),
        ({"type": "multi_resolution", "hop_length": 0}, "`hop_length` is 0"),
        ({"type": "multi_band", "win_length": 30}, "`win_length` is 30"),
        (
            {"type": "multi_band", "windows": 3},
            "Its fields are win_length, channels",
        ),
    ],
)
def test_an_impossible_configuration_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        VitsDiscriminatorConfig(additional_discriminators=[fields])


def test_a_run_trains_and_saves_them_and_they_are_read_again(make_trainer, make_start, make_data, parameters_of):
    start = make_start(lively=True)
    start = ModelInitialization(
        start.model,
        ModelInitialization.from_scratch(start.model.config, VitsDiscriminatorConfig(**ALONE)).discriminator,
    )
    trainer = make_trainer(start=start, max_steps=1)
    before = parameters_of(trainer)
    trainer.train()
    after = parameters_of(trainer)
    assert all(not torch.equal(after[name], before[name]) for name in after if name.startswith("discriminator."))
    card, folder = (trainer.output_dir / "README.md").read_text(), trainer.output_dir / "discriminator"
    assert "| multi_resolution discriminator | FFT 32, hop 6, window 20, channels 4 |" in card
    assert "| multi_band discriminator | window 64, 5 bands, channels 4 |" in card
    for read in (VitsDiscriminator.from_pretrained(folder), convert_discriminator(folder)):
        assert read.config.additional_discriminators == SMALL
        assert all(torch.equal(value, after[f"discriminator.{name}"]) for name, value in read.named_parameters())
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match="does not appear in the shapes.*config.json"):
        convert_discriminator(folder / "model.safetensors")


def test_settings_choose_discriminators_by_name_or_by_fields():
    def chosen(setting):
        config = VitsDiscriminatorConfig(**ModelAndDataArguments(discriminator_config=setting).discriminator_config)
        return [name for name, _ in config.sub_discriminators], config

    assert chosen("multi_resolution")[0] == ["multi_resolution"] * 3
    assert chosen("period, multi_band")[0] == ["period"] * 5 + ["multi_band"] * 3
    assert chosen("scale,period")[1].to_diff_dict() == VitsDiscriminatorConfig().to_diff_dict()
    assert chosen(json.dumps(ALONE))[0] == [*KINDS]
    assert chosen("multi_resolution")[1].scale_channels_by(0.25).additional_discriminators[1] == {
        **{"type": "multi_resolution", "fft_size": 2048, "hop_length": 240, "win_length": 1200, "channels": 8}
    }
    for wrong in ("multiresolution", "{", ""):
        with pytest.raises(ValueError, match="`discriminator_config` is .*no JSON object.*Registered: scale, period"):
            ModelAndDataArguments(discriminator_config=wrong)


def test_they_do_not_recognize_those_of_vits():
    with torch.device("meta"):
        others = VitsDiscriminator(VitsDiscriminatorConfig()).discriminators
    for other in others:
        state, ending = other.state_dict(), ".parametrizations.weight.original1"
        shapes = {name.replace(ending, ".weight"): tuple(value.shape) for name, value in state.items()}
        assert all(DISCRIMINATORS[kind].config_class.from_shapes(shapes) is None for kind in KINDS)
