"""Discriminators of every project give the same outputs here; the oracle is `original_discriminators`."""

import json

import pytest
import torch
from original_discriminators import (
    LAYOUTS,
    PAPER,
    Original,
    in_fine_tuner,
    in_ours,
    in_pth,
    shard,
    stored_as,
    write_fine_tuner,
    write_pth,
)

from hf_vits import VitsModel
from hf_vits.conversion.discriminators import convert_discriminator, generator_tensors, read_discriminator
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig


def waveform(dtype=torch.float64):
    """Of a length that no period divides; short, as convolutions in double precision are slow."""
    return torch.randn(1, 1, 149, generator=torch.Generator().manual_seed(3), dtype=dtype)


def assert_discriminators_alike(ours, original, atol=1e-10):
    """All logits, and the features of every layer."""
    sound = waveform(dtype=next(original.parameters()).dtype)
    with torch.no_grad():
        output, expected = ours(sound), original(sound)
    assert len(output.features) == len(expected)
    for features, logits, layers in zip(output.features, output.logits, expected, strict=True):
        torch.testing.assert_close(logits, layers[-1].flatten(1), rtol=0, atol=atol)
        for feature, layer in zip(features, layers, strict=True):
            torch.testing.assert_close(feature, layer, rtol=0, atol=atol)


@pytest.fixture
def original():
    return Original().double()


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_discriminators_of_every_layout_give_the_same_outputs(layout, original, make_model, tmp_path):
    path = layout(tmp_path, original.state_dict(), make_model())
    assert_discriminators_alike(convert_discriminator(str(path)), original)


@pytest.mark.parametrize("how", ["old", "new", "folded", "mixed"])
def test_every_format_of_weight_norm_is_read(how, original, tmp_path):
    path = write_pth(tmp_path / "D_1.pth", stored_as(original.state_dict(), how))
    discriminators = convert_discriminator(path)
    assert_discriminators_alike(discriminators, original)
    assert discriminators.state_dict().keys() == VitsDiscriminator(discriminators.config).state_dict().keys()


def test_g_and_v_are_kept_bitwise_identical(original, tmp_path):
    tensors = stored_as(original.state_dict(), "new")
    discriminators = convert_discriminator(write_pth(tmp_path / "D_1.pth", tensors))
    weights = discriminators.state_dict()
    for name, tensor in tensors.items():
        assert torch.equal(weights[name], tensor), name


@pytest.mark.thorough
def test_the_papers_discriminators_have_their_size_and_keys(tmp_path):
    original = Original(channels=PAPER)
    discriminators = convert_discriminator(write_pth(tmp_path / "D_100000.pth", stored_as(original.state_dict())))

    with torch.device("meta"):
        fresh = VitsDiscriminator(VitsDiscriminatorConfig())
    assert discriminators.state_dict().keys() == fresh.state_dict().keys()
    without_g = [tensor for name, tensor in discriminators.named_parameters() if not name.endswith("original0")]
    assert sum(tensor.numel() for tensor in without_g) == 46_730_118
    assert_discriminators_alike(discriminators, original, atol=1e-5)


@pytest.mark.parametrize("scales", [0, 1, 3])
def test_scale_discriminators_are_counted(scales, tmp_path):
    original = Original(scales=scales).double()
    discriminators = convert_discriminator(write_pth(tmp_path / "D_1.pth", stored_as(original.state_dict())))
    assert discriminators.config.scales == scales
    assert_discriminators_alike(discriminators, original)


def test_discriminators_without_period_discriminators_are_read(tmp_path):
    original = Original(scales=2, periods=()).double()
    discriminators = convert_discriminator(write_pth(tmp_path / "D_1.pth", stored_as(original.state_dict())))
    assert discriminators.config.periods == []
    assert_discriminators_alike(discriminators, original)


def test_kernel_and_channels_are_read_from_the_shapes(tmp_path):
    channels = {"scale_channels": [4, 4, 8, 8, 16, 4], "period_channels": [2, 7, 3]}
    original = Original(kernel=7, channels=channels).double()
    discriminators = convert_discriminator(write_pth(tmp_path / "D_1.pth", stored_as(original.state_dict())))
    assert discriminators.config.period_kernel_size == 7
    assert_discriminators_alike(discriminators, original)


def test_periods_that_no_file_has_must_be_given(tmp_path):
    original = Original(periods=(3, 4)).double()
    path = write_pth(tmp_path / "D_1.pth", stored_as(original.state_dict()))
    with pytest.raises(ValueError, match="2 period discriminators, not the 5 of VITS.*`periods=`"):
        convert_discriminator(path)
    with pytest.raises(ValueError, match=r"There are 3 periods, \[3, 4, 5\], but 2 period discriminators"):
        convert_discriminator(path, periods=[3, 4, 5])
    assert_discriminators_alike(convert_discriminator(path, periods=[3, 4]), original)


def test_what_config_json_says_is_used(make_model, tmp_path):
    original = Original(scales=0, periods=(4, 9), stride=2, kernel=3).double()
    fields = {
        "discriminator_periods": [4, 9],
        "discriminator_stride": 2,
        "discriminator_kernel_size": 3,
        "discriminator_scale_channels": None,
    }
    folder = write_fine_tuner(tmp_path / "train", make_model(), original.state_dict(), **fields)
    assert_discriminators_alike(convert_discriminator(folder), original)
    with pytest.raises(ValueError, match=r"given as \[4, 8\], but is \[4, 9\] in the configuration file"):
        convert_discriminator(folder, periods=[4, 8])


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("discriminator_periods", [2, 3, 5, 7], "There are 4 periods.* 5 period discriminators"),
        ("discriminator_periods", [2, 3, 5, 7, 0], "a list of whole numbers from 1 up"),
        ("discriminator_periods", "2, 3", "a list of whole numbers from 1 up"),
        ("discriminator_stride", 2.5, "a whole number from 1 to"),
        ("discriminator_stride", True, "a whole number from 1 to"),
        ("discriminator_kernel_size", 7, "`period_kernel_size` is 7 in the configuration, but 5 in the weights"),
        ("discriminator_kernel_size", None, "a whole number"),
        ("discriminator_period_channels", [1, 9], r"`period_channels` is \[9, 9\] in the configuration, but"),
        ("discriminator_period_channels", [], "a list of whole numbers from 1 up"),
        ("discriminator_period_channels", [3, 4], "must be 1 and then"),
        ("discriminator_scale_channels", None, "`scales` is 0 in the configuration, but 1 in"),
        ("discriminator_scale_channels", [1, 4], r"`scale_channels` is \[4, 4, 4\] in the configuration, but"),
        ("leaky_relu_slope", 0.2, "`leaky_relu_slope` .* is 0.2"),
    ],
)
def test_a_configuration_that_the_weights_contradict_is_an_error(name, value, message, original, make_model, tmp_path):
    folder = write_fine_tuner(tmp_path / "train", make_model(), original.state_dict(), **{name: value})
    with pytest.raises(ValueError, match=message):
        convert_discriminator(folder)


@pytest.mark.parametrize(("name", "value"), [("scales", 10**9), ("period_channels", [10**9] * 5), ("periods", 3)])
def test_our_own_configuration_must_agree_with_the_weights(name, value, original, tmp_path):
    folder = in_ours(tmp_path, original.state_dict(), None)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {name: value}))
    with pytest.raises(ValueError, match=name):
        convert_discriminator(folder)


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000, "[]", "\xff"])
def test_a_damaged_config_json_is_an_error_that_names_it(text, original, tmp_path):
    folder = in_ours(tmp_path, original.state_dict(), None)
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="config.json (is not JSON|holds a list, not a JSON object)"):
        convert_discriminator(folder)


def test_everything_that_is_left_out_or_assumed_is_noted(original, make_model, tmp_path):
    notes = read_discriminator(in_pth(tmp_path, original.state_dict(), None)).notes
    assert notes == (
        "Left out, the state of training beside the weights: iteration, optimizer, learning_rate.",
        "Assumed, as no file has them: periods [2, 3, 5, 7, 11].",
        "Assumed, as no file has it: stride 3 of period discriminators.",
    )
    voice = make_model()
    (note,) = read_discriminator(in_fine_tuner(tmp_path, original.state_dict(), voice)).notes
    assert note.startswith("Left out, part of the generator, not of the discriminators: ")
    assert f"and {len(voice.state_dict()) - 5} more" in note


def test_converted_discriminators_are_saved_loaded_and_trained(original, tmp_path):
    discriminators = convert_discriminator(in_pth(tmp_path, original.state_dict(), None))
    discriminators.save_pretrained(tmp_path / "discriminators")
    assert_discriminators_alike(
        VitsDiscriminator.from_pretrained(tmp_path / "discriminators", dtype=torch.float64), original
    )
    sum(logits.square().mean() for logits in discriminators(waveform()).logits).backward()
    assert all(parameter.grad is not None for parameter in discriminators.parameters())


def test_a_training_folders_voice_gives_the_same_output_without_its_discriminators(original, make_model, tmp_path):
    voice = make_model()
    ids, silent = torch.arange(1, 12)[None], {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    for folder in (in_fine_tuner(tmp_path, original.state_dict(), voice), shard(tmp_path / "train")):
        tensors = generator_tensors(folder)
        assert tensors.keys() == voice.state_dict().keys()
        loaded = VitsModel.from_pretrained(folder, state_dict=tensors)
        assert torch.equal(loaded(ids, **silent).waveform, voice(ids, **silent).waveform)
        with pytest.raises(ValueError, match="generator_tensors"):
            VitsModel.from_pretrained(folder)


def test_a_voice_without_discriminators_is_unchanged(make_model, tmp_path):
    voice = make_model()
    voice.save_pretrained(tmp_path)
    assert generator_tensors(tmp_path).keys() == voice.state_dict().keys()


def test_a_voice_is_distinguished_from_its_discriminators(make_model, tmp_path):
    make_model().save_pretrained(tmp_path / "voice")
    torch.save({"model": {"module.enc_p.emb.weight": torch.zeros(2, 3)}, "iteration": 3}, tmp_path / "G_3.pth")
    for path in ("voice", "voice/model.safetensors", "G_3.pth"):
        with pytest.raises(ValueError, match="holds no discriminator, but a voice.*D_.*pth"):
            convert_discriminator(tmp_path / path)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"mpd": {"a": torch.zeros(1)}, "msd": {}}, "but the entries mpd, msd"),
        ({"model": {"a": torch.zeros(1)}}, r"but 1 other tensors \(a\)"),
        ({"model": {1: torch.zeros(1)}}, "but the entries model"),
        ({}, "but no tensors at all"),
        ([torch.zeros(1)], "holds one list"),
        (torch.zeros(1), "holds one Tensor"),
        (3, "holds one int"),
    ],
)
def test_a_file_of_something_else_says_what_it_holds_and_what_to_give(contents, message, tmp_path):
    torch.save(contents, tmp_path / "D_1.pth")
    with pytest.raises(ValueError, match=f"{message}.*Give the discriminators of a training run"):
        convert_discriminator(tmp_path / "D_1.pth")


def test_an_error_for_nothing_to_read_says_what_to_give(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match="Give the discriminators of a training run"):
            convert_discriminator(path)


def test_several_files_of_discriminators_are_an_error(original, tmp_path):
    for step in (1, 2):
        write_pth(tmp_path / f"D_{step}.pth", stored_as(original.state_dict()))
    with pytest.raises(ValueError, match="D_1.pth, D_2.pth. Give one"):
        convert_discriminator(tmp_path)
