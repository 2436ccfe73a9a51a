"""Piper's training checkpoints become whole voices with their discriminators, of the same weights and sound."""

import json

import pytest
import torch
from original_discriminators import prefixed, stored_as
from original_files import in_original_layout, with_weight_norm
from piper_checkpoints import discriminators, tiny_model, write_checkpoint
from piper_files import voice_json

from hf_vits import VitsTokenizer
from hf_vits.conversion import convert
from hf_vits.conversion.discriminators import convert_discriminator
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator
from hf_vits.modeling_vits import VitsModel
from hf_vits.training.initialization import ModelInitialization

VOICES = {
    "low": {"resblock_type": "2", "resblock_dilation_sizes": [[1, 2], [2, 6]]},
    "high": {},
    "deterministic durations": {"use_stochastic_duration_prediction": False},
    "speakers": {"num_speakers": 3, "speaker_embedding_size": 6},
}
GENERATIONS = ("rhasspy", "OHF-Voice")
WAVEFORM = torch.linspace(-1, 1, 2000).view(1, 1, -1).sin()


@pytest.fixture(scope="module")
def voice():
    """To be read only, as all that is made once."""
    return tiny_model()


@pytest.fixture(scope="module")
def theirs():
    return discriminators()


@pytest.fixture(scope="module")
def a_checkpoint(tmp_path_factory, voice, theirs):
    return write_checkpoint(tmp_path_factory.mktemp("run"), voice, theirs)


def is_normed(name):
    return name.startswith(("decoder.upsampler", "decoder.resblocks")) and name.endswith("weight")


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("overrides", VOICES.values(), ids=VOICES)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_tensor_and_the_configuration_come_back(tmp_path, generation, overrides):
    model = tiny_model(**overrides)

    converted = convert(write_checkpoint(tmp_path, model, generation=generation))

    expected = model.state_dict()
    assert converted.state_dict.keys() == expected.keys()
    for name, tensor in expected.items():
        if is_normed(name):  # g v / |v| is not the weight to the last bit
            torch.testing.assert_close(converted.state_dict[name], tensor, rtol=1e-6, atol=1e-7)
        else:
            assert torch.equal(converted.state_dict[name], tensor), name
    from_json = {"noise_scale": 0.5, "noise_scale_duration": 0.75, "speaking_rate": 0.8, "architectures": None}
    fields = model.config.to_dict() | from_json | {"layerdrop": 0.0}
    if model.config.num_speakers > 1:
        fields["speaker_names"] = ["p0", "p1", "p2"]
    if model.config.use_stochastic_duration_prediction:
        del fields["duration_predictor_filter_channels"]  # unused, and without a trace
    assert {name: converted.config.to_dict().get(name) for name in fields} == fields


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("overrides", VOICES.values(), ids=VOICES)
def test_a_saved_voice_sounds_as_the_model_it_came_from(tmp_path, overrides):
    model = tiny_model(**overrides)
    call = {
        "input_ids": torch.tensor([[1, 0, 5, 0, 7, 0, 2]]),
        "speaker_id": 1 if model.config.num_speakers > 1 else None,
        "durations": torch.full((1, 7), 3),
    }

    again = VitsModel.from_pretrained(convert(write_checkpoint(tmp_path, model)).save(tmp_path / "voice"))

    expected = model(**call, noise_scale=0.5, generator=torch.Generator().manual_seed(1)).waveform
    found = again(**call, generator=torch.Generator().manual_seed(1)).waveform
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("generation", GENERATIONS)
def test_its_discriminators_discriminator_as_before_and_training_finds_them(tmp_path, generation, voice, theirs):
    converted = convert(write_checkpoint(tmp_path, voice, theirs, generation))

    folder = converted.save(tmp_path / "voice")

    assert "With its discriminators: training can continue at once." in converted.notes
    ours = VitsDiscriminator.from_pretrained(folder / "discriminator").eval()
    for found, expected in zip(ours(WAVEFORM).features, theirs(WAVEFORM), strict=True):
        for layer, wanted in zip(found, expected, strict=True):
            torch.testing.assert_close(layer, wanted, rtol=1e-4, atol=1e-6)
    start = ModelInitialization.from_pretrained(str(folder))
    assert not start.new_modules and not start.new_parameters


def test_the_front_end_is_that_of_the_exported_voice(a_checkpoint):
    tokenizer = convert(a_checkpoint).tokenizer

    assert isinstance(tokenizer, VitsTokenizer)
    assert (tokenizer.phoneme_language, tokenizer.phoneme_style, tokenizer.unicode_form) == ("en-us", "piper", "NFD")
    assert tokenizer("[[abc]]").input_ids == [1, 0, 4, 0, 5, 0, 6, 0, 2]


def test_the_notes_say_what_was_left_out(tmp_path, voice):
    notes = convert(write_checkpoint(tmp_path, voice, generation="OHF-Voice")).notes

    text = "\n".join(notes)
    assert (
        "Left out, discriminators of spectra, which VITS does not have: model_mrd.discriminators.0.convs.0.weight_g, "
        in text
    )
    assert "Left out, the state of training beside the weights: epoch, global_step, " in text
    assert "Without discriminators: training creates new ones" in text
    assert "those of config.json" in text


@pytest.mark.parametrize(
    ("overrides", "rates", "dilations"),
    [
        (
            {"resblock_type": "2", "resblock_kernel_sizes": [3, 5, 7], "upsample_kernel_sizes": [16, 16, 8]},
            [8, 8, 4],
            [[1, 2], [2, 6], [3, 12]],
        ),
        (
            {"resblock_kernel_sizes": [3, 7, 11], "upsample_kernel_sizes": [16, 16, 4, 4]},
            [8, 8, 2, 2],
            [[1, 3, 5]] * 3,
        ),
    ],
    ids=["medium", "high"],
)
def test_piper_s_qualities_are_known_by_their_kernels(tmp_path, overrides, rates, dilations):
    model = tiny_model(**overrides, upsample_rates=rates, resblock_dilation_sizes=dilations)

    def change(contents, data):
        del contents["hyper_parameters"]

    converted = convert(write_checkpoint(tmp_path, model, change=change))

    assert converted.config.upsample_rates == rates and converted.config.resblock_dilation_sizes == dilations
    assert sum(note.startswith("Assumed from the kernels") for note in converted.notes) == 2


def test_kernels_of_no_quality_are_refused_where_nothing_tells_the_rates(tmp_path, voice):
    def change(contents, data):
        del contents["hyper_parameters"]["upsample_rates"]

    with pytest.raises(ValueError, match=r"`hyper_parameters.upsample_rates`.* kernels \[8, 4\]"):
        convert(write_checkpoint(tmp_path, voice, change=change))


def test_what_only_training_uses_is_noted_too(tmp_path, voice):
    def change(contents, data):
        contents["hyper_parameters"] |= {"p_dropout": 0.2, "mel_channels": 40, "mel_fmax": 7000.0, "win_length": 20}

    config = convert(write_checkpoint(tmp_path, voice, change=change)).config

    assert (config.hidden_dropout, config.attention_dropout, config.activation_dropout) == (0.2, 0.2, 0.2)
    assert (config.num_mel_bins, config.mel_fmax, config.win_length) == (40, 7000.0, 20)


def test_the_sampling_rate_is_that_of_the_json_and_a_different_one_is_noted(tmp_path):
    def change(contents, data):
        data["audio"]["sample_rate"] = 22_050

    converted = convert(write_checkpoint(tmp_path, tiny_model(sampling_rate=16_000), change=change))

    assert converted.config.sampling_rate == 22_050
    assert "Left out, the checkpoint's own sampling rate of 16,000 Hz." in converted.notes


@pytest.mark.parametrize("place", ["voice.onnx.json", "epoch=4999-step=7.onnx.json", "above", "named"])
def test_the_json_is_found_wherever_piper_keeps_it(tmp_path, place, voice):
    path = write_checkpoint(tmp_path / "train" / "lightning_logs" / "version_0" / "checkpoints", voice)
    config = path.parent / "config.json"
    target = tmp_path / "train" / "config.json" if place == "above" else path.parent / place
    config.rename(target)

    assert convert(path, config=target if place == "named" else None).config.vocab_size == 20


def test_without_a_json_the_error_says_what_to_give(tmp_path, a_checkpoint, voice):
    (tmp_path / "a.ckpt").write_bytes(a_checkpoint.read_bytes())
    with pytest.raises(FileNotFoundError, match="does not hold its voice's symbols.*config.json.*--config"):
        convert(tmp_path / "a.ckpt")

    for name in ("b.onnx.json", "c.onnx.json"):
        (tmp_path / name).write_text(json.dumps(voice_json(voice.config)))
    with pytest.raises(ValueError, match="several voices' files: b.onnx.json, c.onnx.json"):
        convert(tmp_path / "a.ckpt")


def test_discriminators_that_are_given_take_the_place_of_its_own(tmp_path, a_checkpoint):
    others = discriminators(seed=1)
    torch.save(stored_as(others.state_dict(), "new"), tmp_path / "D.pth")

    converted = convert(a_checkpoint, discriminator=tmp_path / "D.pth")

    expected = convert_discriminator(tmp_path / "D.pth").state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in converted.discriminator.state_dict.items())
    assert "Left out, its own discriminators: others were given." in converted.notes


def test_discriminators_with_spectral_norm_are_left_out_and_the_voice_is_not(tmp_path):
    def change(contents, data):
        contents["state_dict"]["model_d.discriminators.0.convs.0.weight_orig"] = torch.ones(4, 1, 15)

    converted = convert(write_checkpoint(tmp_path, tiny_model(), change=change))

    assert converted.discriminator is None
    assert any("Left out, its discriminators. The layers have spectral norm" in note for note in converted.notes)


def test_a_checkpoint_stripped_for_speaking_can_speak_and_says_that_it_cannot_be_trained(tmp_path, voice):
    def change(contents, data):
        tensors = contents["state_dict"]
        contents["state_dict"] = {name: tensor for name, tensor in tensors.items() if "enc_q." not in name}

    converted = convert(write_checkpoint(tmp_path, voice, change=change))

    assert converted.config.inference_only
    assert any("cannot" in note or "not be trained" in note for note in converted.notes)
    assert torch.equal(converted.state_dict["text_encoder.embed_tokens.weight"], voice.text_encoder.embed_tokens.weight)


class Call:
    """Pickled as the call of a function."""

    def __reduce__(self):
        return exec, ("raise SystemExit",)


def with_argument(name, value):
    return lambda contents, data: contents["hyper_parameters"].update({name: value})


def renamed(old, new):
    def change(contents, data):
        contents["state_dict"][new] = contents["state_dict"].pop(old)

    return change


def reshaped(name, *shape):
    return lambda contents, data: contents["state_dict"].update({name: torch.ones(*shape)})


EMBEDDING = "model_g.enc_p.emb.weight"
DAMAGES = {
    "renamed weight": (renamed(EMBEDDING, "model_g.enc_p.embed.weight"), "enc_p.emb"),
    "renamed bias": (renamed("model_g.dec.ups.0.bias", "model_g.dec.ups.0.shift"), "missing|no part"),
    "another part": (renamed("model_g.dec.ups.0.bias", "model_x.bias"), "model_x.bias|missing"),
    "a tensor without its prefix": (renamed("model_g.dec.ups.0.bias", "dec.ups.0.bias"), "dec.ups.0.bias|missing"),
    "swapped shape of the embedding": (reshaped(EMBEDDING, 12, 20), "do not make a VITS model"),
    "swapped shape of a layer": (reshaped("model_g.enc_q.proj.weight", 12, 24, 1), "conv_proj.weight is .*not"),
    "flat embedding": (reshaped(EMBEDDING, 240), r"has the shape \[240\]"),
    "not a number": (reshaped("model_g.dec.ups.0.bias", 8), None),
    "hyper_parameters that are a list": (
        lambda contents, data: contents.update(hyper_parameters=[1]),
        "`hyper_parameters` in .* must be an object",
    ),
    "rates that are text": (with_argument("upsample_rates", "fast"), "hyper_parameters.upsample_rates.* whole numbers"),
    "rates that are a deep text": (with_argument("upsample_rates", "(" * 900), "hyper_parameters.upsample_rates"),
    "rates that call": (with_argument("upsample_rates", "[__import__('os')]"), "hyper_parameters.upsample_rates"),
    "too few rates": (with_argument("upsample_rates", (8,)), "must have the same number"),
    "rates of another product": (with_argument("upsample_rates", (2, 2)), "hop_length.* is 8, .* have 4"),
    "negative rates": (with_argument("upsample_rates", (-4, 2)), "whole numbers from 1 up"),
    "true for a rate": (with_argument("upsample_rates", (True, 2)), "whole numbers from 1 up"),
    "huge rates": (with_argument("upsample_rates", (10**30, 2)), "whole numbers from 1 up"),
    "flat dilations": (with_argument("resblock_dilation_sizes", (1, 3)), "list of lists"),
    "dilations that are a tensor": (with_argument("resblock_dilation_sizes", torch.ones(2)), "list of lists"),
    "a dropout that is a text": (with_argument("p_dropout", "much"), "finite number"),
    "a dropout above 1": (with_argument("p_dropout", 3), "probability"),
    "an FFT of another size": (with_argument("filter_length", 64), "filter_length.* is 64, .* have 32"),
    "a sampling rate that is a list": (with_argument("sample_rate", [1]), "sample_rate.* whole number"),
    "a JSON of another voice": (lambda contents, data: data.update(num_symbols=19), "num_symbols.* is 19"),
    "a JSON of more speakers": (lambda contents, data: data.update(num_speakers=2), "num_speakers.* is 2"),
    "code": (lambda contents, data: contents.update(extra=Call()), "code that is not run"),
}


DISCRIMINATOR_DAMAGES = {
    "damaged discriminator": (reshaped("model_d.discriminators.1.conv_post.weight_v", 1, 6, 5, 1), "of another shape"),
    "discriminator lost": (
        lambda contents, data: [contents["state_dict"].pop(n) for n in list(contents["state_dict"]) if "rs.5." in n],
        "There are 5 periods",
    ),
}


@pytest.mark.parametrize(("change", "message"), DISCRIMINATOR_DAMAGES.values(), ids=DISCRIMINATOR_DAMAGES)
def test_damaged_discriminators_are_one_error(tmp_path, voice, theirs, change, message):
    with pytest.raises(ValueError, match=message):
        convert(write_checkpoint(tmp_path, voice, theirs, change=change))


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("change", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_one_error_and_no_folder(tmp_path, voice, change, message):
    def all_changes(contents, data):
        change(contents, data)
        if message is None:
            contents["state_dict"]["model_g.dec.ups.0.bias"][0] = float("nan")

    path = write_checkpoint(tmp_path, voice, change=all_changes)

    with pytest.raises(ValueError, match=message or "NaN"):
        convert(path).save(tmp_path / "voice")
    assert not (tmp_path / "voice").exists()


@pytest.mark.parametrize("kept", [0.001, 0.3, 0.7, 0.999])
def test_a_truncated_checkpoint_is_an_error(tmp_path, a_checkpoint, kept):
    data = a_checkpoint.read_bytes()
    (tmp_path / "a.ckpt").write_bytes(data[: int(len(data) * kept)])
    (tmp_path / "config.json").write_bytes((a_checkpoint.parent / "config.json").read_bytes())

    with pytest.raises(ValueError, match="a.ckpt is not a readable file of tensors"):
        convert(tmp_path / "a.ckpt")


def test_the_layout_that_is_tested_with_is_that_of_the_published_names(a_checkpoint, voice):
    names = torch.load(a_checkpoint, weights_only=False)["state_dict"].keys()

    assert {name.split(".")[0] for name in names} == {"model_g", "model_d"}
    generator = with_weight_norm(in_original_layout(voice))
    assert prefixed("model_g.", generator).keys() <= names
    assert "model_g.dec.ups.0.weight_g" in names and "model_g.enc_q.enc.in_layers.0.weight_v" in names
