"""A voice in the original's layout: read back by our reader, and named as the original names its tensors."""

import json

import pytest
import torch
from export_voices import PAPER
from original_discriminators import SMALL, Original, stored_as, write_pth
from original_files import in_original_layout, with_weight_norm, write_original

from hf_vits import VitsModel, VitsTokenizer, convert
from hf_vits.cli import main
from hf_vits.conversion.discriminators import convert_discriminator
from hf_vits.conversion.formats.original import SYMBOLS
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.export import Voice, export, original
from hf_vits.export.original import write

KINDS = {
    "one speaker": {},
    "several speakers": {"num_speakers": 3, "speaker_embedding_size": 6, "speaker_names": ["ada", "bea", "cem"]},
    "plain durations": {"use_stochastic_duration_prediction": False},
    "block type 2": {"resblock_type": "2"},
}


@pytest.fixture
def voice(make_model):
    return lambda **fields: make_model(**{**PAPER, **fields})


def put(folder, model, tokenizer=None, discriminator=None):
    tokenizer = tokenizer or VitsTokenizer.from_vocab({symbol: i for i, symbol in enumerate("_abcdefghijklmnop .'")})
    return list(write(Voice(model, tokenizer, discriminator=discriminator), folder))


def speak(model):
    ids = torch.tensor([[0, 7, 0, 12, 0, 3, 0]])
    speaker = {"speaker_id": 1} if model.config.num_speakers > 1 else {}
    return model(ids, noise_scale=0.0, noise_scale_duration=0.0, **speaker).waveform


@pytest.mark.thorough
@pytest.mark.parametrize("fields", KINDS.values(), ids=KINDS)
def test_the_original_s_names_and_shapes_are_written(fields, voice, tmp_path):
    model = voice(**fields)

    put(tmp_path, model)

    written = torch.load(tmp_path / "G_0.pth", weights_only=True)["model"]
    expected = with_weight_norm(in_original_layout(model))
    assert {name: tensor.shape for name, tensor in written.items()} == {
        name: tensor.shape for name, tensor in expected.items()
    }


@pytest.mark.thorough
@pytest.mark.parametrize("fields", KINDS.values(), ids=KINDS)
def test_there_and_back_a_voice_sounds_the_same(fields, voice, tmp_path):
    model = voice(**fields)

    put(tmp_path, model)
    back = convert(tmp_path).model()

    torch.testing.assert_close(speak(back), speak(model), rtol=0, atol=1e-6)
    assert list(back.config.speaker_names or []) == list(model.config.speaker_names or [])


@pytest.mark.thorough
def test_what_came_from_the_original_goes_back_bit_for_bit(voice, tmp_path):
    model = voice()
    tensors = in_original_layout(model)
    (tmp_path / "out").mkdir()
    source = write_original(tmp_path / "run", model, tensors)

    put(tmp_path / "out", convert(source).model())

    written = torch.load(tmp_path / "out" / "G_0.pth", weights_only=True)["model"]
    same = [name for name in written if name in tensors]
    assert len(same) > 100 and all(torch.equal(written[name], tensors[name]) for name in same)
    assert all(name.startswith(("dec.ups.", "dec.resblocks.")) for name in written.keys() - tensors.keys())


@pytest.mark.thorough
def test_discriminators_are_written_as_the_original_s(voice, narrow, tmp_path):
    discriminator = Original().eval()
    ours = convert_discriminator(write_pth(tmp_path / "D_7.pth", stored_as(discriminator.state_dict())))
    (tmp_path / "out").mkdir()

    put(tmp_path / "out", voice(), discriminator=ours)

    written = torch.load(tmp_path / "out" / "D_0.pth", weights_only=True)["model"]
    assert {name: tensor.shape for name, tensor in written.items()} == {
        name: tensor.shape for name, tensor in stored_as(discriminator.state_dict()).items()
    }
    for name, weight in discriminator.state_dict().items():
        if name.endswith(".weight"):
            g, v = written[name + "_g"], written[name + "_v"]
            norm = v.flatten(1).norm(dim=1).view(g.shape)
            torch.testing.assert_close(g * v / norm, weight, rtol=1e-5, atol=1e-6)


@pytest.mark.thorough
def test_the_original_s_symbols_are_known_by_their_number_and_others_are_listed(voice, make_tokenizer, tmp_path):
    originals = VitsTokenizer.from_vocab({symbol: i for i, symbol in enumerate(SYMBOLS)}, pad_token="_")
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()

    put(tmp_path / "a", voice(vocab_size=178), originals)
    notes = put(tmp_path / "b", voice(), make_tokenizer())

    a, b = (json.loads((tmp_path / name / "config.json").read_text(encoding="utf-8")) for name in "ab")
    assert "symbols" not in a and a["data"]["text_cleaners"] == ["english_cleaners2"]
    assert b["symbols"] == list("_abcdefghijklmnop .'") and b["data"]["text_cleaners"] == ["basic_cleaners"]
    assert convert(tmp_path / "b").tokenizer("Abc")["input_ids"] == make_tokenizer()("Abc")["input_ids"]
    assert len(notes) == 2 and notes[0] == "Without D_0.pth: there is no discriminator."
    assert "6 texts against PyTorch" in notes[1]


@pytest.mark.thorough
def test_what_its_files_do_not_hold_is_said(voice, make_tokenizer, tmp_path):
    model = voice(inference_only=True, noise_scale=0.3, speaking_rate=1.25)
    tokenizer = make_tokenizer(bos_token="a", eos_token="b")

    notes = " ".join(put(tmp_path, model, tokenizer))

    assert "it is for inference only there" in notes
    assert "noise_scale 0.3, speaking_rate 1.25" in notes and "no front end like this voice's" in notes


@pytest.mark.thorough
def test_a_converted_voice_loads_in_our_classes_again(voice, tmp_path):
    model = voice()
    put(tmp_path, model)

    convert(tmp_path).save(tmp_path / "voice")

    torch.testing.assert_close(speak(VitsModel.from_pretrained(tmp_path / "voice")), speak(model), rtol=0, atol=1e-6)


def test_weights_of_fewer_bits_are_refused_as_there_is_no_place_for_them(voice, make_tokenizer, tmp_path):
    with pytest.raises(ValueError, match="`precision` is 'int8', but the target original holds weights in float32"):
        export(voice(), make_tokenizer(), tmp_path / "out", target="original", precision="int8")
    assert not (tmp_path / "out").exists()


@pytest.mark.thorough
def test_the_verb_takes_the_discriminators_of_the_voice_along(voice, narrow, make_tokenizer, tmp_path):
    voice().save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    discriminator = convert_discriminator(write_pth(tmp_path / "D_7.pth", stored_as(Original().state_dict())))
    discriminator.save_pretrained(tmp_path / "voice" / "discriminator")

    assert main(["export", str(tmp_path / "voice"), str(tmp_path / "out"), "--target", "original"]) == 0

    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "D_0.pth",
        "G_0.pth",
        "README.md",
        "config.json",
    ]
    assert convert(tmp_path / "out").discriminator is not None


@pytest.mark.thorough
def test_a_blank_that_the_original_would_not_put_is_said_and_not_left_to_it(voice, tmp_path):
    symbols = {symbol: i for i, symbol in enumerate("abcdefghijklmnop .'_")}
    tokenizer = VitsTokenizer.from_vocab(symbols, pad_token="_", blank_token="_", phonemize=False)

    notes = " ".join(put(tmp_path, voice(), tokenizer))

    assert "no front end like this voice's" in notes
    assert not json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["data"]["add_blank"]


def test_the_voice_itself_is_not_replaced_by_what_is_made_from_it(voice, make_tokenizer, tmp_path):
    voice().save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")

    loaded = VitsModel.from_pretrained(tmp_path / "voice")
    with pytest.raises(ValueError, match="give another folder"):
        export(loaded, make_tokenizer(), tmp_path / "voice", target="original", overwrite=True)
    assert (tmp_path / "voice" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("wrong", "message"), [("G_0.pth", "encoder.* differs by"), ("D_0.pth", "discriminators.* by")]
)
def test_weights_that_are_not_the_voice_s_when_they_are_read_back_are_not_kept(
    wrong, message, voice, narrow, make_tokenizer, tmp_path, monkeypatch
):
    right = original._save

    def save(file, tensors):
        right(file, {name: tensor * (1.01 if file.name == wrong else 1) for name, tensor in tensors.items()})

    monkeypatch.setattr(original, "_save", save)
    discriminator = convert_discriminator(write_pth(tmp_path / "D_7.pth", stored_as(Original().state_dict())))
    with pytest.raises(ValueError, match=message):
        export(voice(), make_tokenizer(), tmp_path / "out", target="original", discriminator=discriminator)
    assert not (tmp_path / "out").exists()


@pytest.mark.thorough
def test_a_weight_that_is_not_there_when_the_files_are_read_back_is_named(
    voice, narrow, make_tokenizer, tmp_path, monkeypatch
):
    monkeypatch.setattr(original, "DISCRIMINATOR", "other.json")  # where no reader looks for them
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(**SMALL))
    with pytest.raises(ValueError, match=r"discriminators\.0\..* is missing when the files are read back"):
        export(voice(), make_tokenizer(), tmp_path / "out", target="original", discriminator=discriminator)
    assert not (tmp_path / "out").exists()


MISDESCRIBED = {
    "window": ("data", "win_length", 12, "`win_length` is 16 here and 12"),
    "highest pitch": ("data", "mel_fmax", 7000.0, "`mel_fmax` is None here and 7000.0"),
    "sampling rate": ("data", "sampling_rate", 8000, "`sampling_rate` is 16000 here and 8000"),
    "dropout": ("model", "p_dropout", 0.3, "`hidden_dropout` is"),
    "dilations": ("model", "resblock_dilation_sizes", "doubled", "differs from PyTorch's"),
    "blanks": ("data", "add_blank", False, "other ids"),
    "case": ("data", "text_cleaners", [], "other ids"),
}


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("part", "field", "value", "message"), MISDESCRIBED.values(), ids=MISDESCRIBED)
def test_a_description_that_is_not_the_voice_s_is_not_kept(
    part, field, value, message, voice, make_tokenizer, tmp_path, monkeypatch
):
    right, model = original.description, voice()
    if value == "doubled":
        value = [[2 * dilation for dilation in row] for row in model.config.resblock_dilation_sizes]

    def wrong(*arguments):
        described = right(*arguments)
        described[part][field] = value
        return described

    monkeypatch.setattr(original, "description", wrong)
    with pytest.raises(ValueError, match=message):
        export(model, make_tokenizer(), tmp_path / "out", target="original")
    assert not (tmp_path / "out").exists()


@pytest.mark.thorough
def test_settings_of_the_spectrogram_come_back_for_a_voice_that_only_speaks(voice, tmp_path):
    model = voice(inference_only=True, spectrogram_bins=13, win_length=20)

    put(tmp_path, model)

    back = convert(tmp_path).config
    assert (back.fft_size, back.win_length) == (24, 20)


@pytest.mark.thorough
def test_a_window_of_the_voice_s_own_is_written(voice, tmp_path):
    put(tmp_path, voice(win_length=12))
    data = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["data"]
    assert (data["win_length"], data["filter_length"]) == (12, 16)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [pytest.param(torch.float16, marks=pytest.mark.slow), torch.bfloat16])
def test_a_voice_of_another_precision_is_written_as_the_numbers_it_holds(
    dtype, voice, narrow, make_tokenizer, tmp_path
):
    model, discriminator = voice().to(dtype), VitsDiscriminator(VitsDiscriminatorConfig(**SMALL)).to(dtype)

    export(model, make_tokenizer(), tmp_path / "out", target="original", discriminator=discriminator)

    back = convert(tmp_path / "out")
    for ours, theirs in ((model, back.model()), (discriminator, back.discriminator.model())):
        weights = ours.state_dict()
        for name, tensor in theirs.state_dict().items():
            torch.testing.assert_close(tensor, weights[name].float(), rtol=1e-6, atol=1e-7)


@pytest.mark.thorough
def test_the_original_s_code_gets_the_size_of_the_speakers_vectors(voice, tmp_path):
    put(tmp_path, voice(**KINDS["several speakers"]))

    described = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    rows = torch.load(tmp_path / "G_0.pth", weights_only=True)["model"]["emb_g.weight"]
    assert [described["data"]["n_speakers"], described["model"]["gin_channels"]] == list(rows.shape)


@pytest.mark.parametrize(("rates", "segment"), [([8, 8, 4], 8192), ([10, 6, 5], 8100), ([100, 100], 10_000)])
def test_segments_of_training_are_whole_frames(rates, segment, make_config, make_tokenizer):
    config = make_config(upsample_rates=rates, upsample_kernel_sizes=[3 * rate for rate in rates])
    assert original.description(config, make_tokenizer())["train"]["segment_size"] == segment
