import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig

SMALL = {"period_channels": [4, 6], "scale_channels": [4, 8, 8, 8, 8, 8], "periods": [2, 3], "scales": 2}


@pytest.fixture
def discriminator():
    torch.manual_seed(0)
    return VitsDiscriminator(VitsDiscriminatorConfig(**SMALL))


def test_the_defaults_have_the_number_of_parameters_of_the_paper():
    with torch.device("meta"):
        discriminator = VitsDiscriminator(VitsDiscriminatorConfig())
    sizes = [
        sum(p.numel() for name, p in one.named_parameters() if not name.endswith("original0"))
        for one in discriminator.discriminators
    ]
    assert sizes == [5_637_953, *[8_218_433] * 5]


def test_layers_are_those_of_the_original():
    """Kernel, stride, groups and channels of `D_*.pth`, as published."""
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig())
    scale = [(c.out_channels, c.kernel_size[0], c.stride[0], c.groups) for c in discriminator.discriminators[0].convs]
    assert scale == [
        (16, 15, 1, 1),
        (64, 41, 4, 4),
        (256, 41, 4, 16),
        (1024, 41, 4, 64),
        (1024, 41, 4, 256),
        (1024, 5, 1, 1),
    ]
    period = [(c.out_channels, c.kernel_size, c.stride) for c in discriminator.discriminators[1].convs]
    assert period == [(n, (5, 1), (s, 1)) for n, s in ((32, 3), (128, 3), (512, 3), (1024, 3), (1024, 1))]


def test_a_period_discriminator_convolves_each_column_separately(discriminator):
    period = discriminator.discriminators[3]
    waveform = torch.randn(1, 1, 61, generator=torch.Generator().manual_seed(1))
    padded = F.pad(waveform, (0, 2), mode="reflect")
    features = period(waveform)
    for column in range(3):
        signal = padded[..., column::3]
        for conv in period.convs:
            signal = F.leaky_relu(F.conv1d(signal, conv.weight.squeeze(3), conv.bias, conv.stride[0], 2), 0.1)
        logits = F.conv1d(signal, period.conv_post.weight.squeeze(3), period.conv_post.bias, padding=1)
        torch.testing.assert_close(features[-2][..., column], signal)
        torch.testing.assert_close(features[-1][..., column], logits)


def test_the_second_scale_discriminator_equals_the_first_on_an_averaged_waveform(discriminator):
    first, second = discriminator.discriminators[:2]
    second.load_state_dict(first.state_dict())
    waveform = torch.randn(1, 1, 400)
    averaged = F.avg_pool1d(waveform, 4, 2, 2)
    for ours, expected in zip(second(waveform), first(averaged), strict=True):
        torch.testing.assert_close(ours, expected)


def test_logits_are_the_last_features_and_every_layer_is_a_feature(discriminator):
    output = discriminator(torch.randn(2, 1, 500))
    assert [len(layers) for layers in output.features] == [7, 7, 3, 3]
    for logits, layers in zip(output.logits, output.features, strict=True):
        assert torch.equal(logits, layers[-1].flatten(1))


def test_a_loaded_discriminator_equals_the_saved_one(discriminator, tmp_path):
    discriminator.save_pretrained(tmp_path)
    loaded = VitsDiscriminator.from_pretrained(tmp_path)
    waveform = torch.randn(1, 1, 300)
    for ours, expected in zip(loaded(waveform).logits, discriminator(waveform).logits, strict=True):
        assert torch.equal(ours, expected)


@pytest.mark.parametrize("how", ["missing", "unexpected", "misshaped"])
def test_a_missing_unexpected_or_misshaped_tensor_is_an_error_that_names_it(discriminator, tmp_path, how):
    discriminator.save_pretrained(tmp_path)
    state_dict, key = load_file(tmp_path / "model.safetensors"), "discriminators.1.convs.0.bias"
    if how == "missing":
        state_dict.pop(key)
    elif how == "unexpected":
        state_dict[key := "discriminators.9.bias"] = torch.zeros(1)
    else:
        state_dict[key] = torch.zeros(1)
    save_file(state_dict, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=key.replace(".", r"\.")):
        VitsDiscriminator.from_pretrained(tmp_path)


@pytest.mark.parametrize("fields", [{"periods": [], "scales": 0}, {"scale_channels": [4]}, {"periods": [0]}])
def test_an_impossible_configuration_is_refused(fields):
    with pytest.raises(ValueError):
        VitsDiscriminatorConfig(**fields)
