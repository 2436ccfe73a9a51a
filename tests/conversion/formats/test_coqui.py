import pytest
import torch
from coqui_files import tensors_of, write_voice

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.conversion import convert
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.training.initialization import ModelInitialization

SHAPE = {"flow_size": 16}
TABLE = {"num_speakers": 3, "speaker_embedding_size": 6}
PLAIN = {"use_stochastic_duration_prediction": False, "duration_predictor_layer_norm_eps": 1e-4}
LANGUAGES = {"num_languages": 2, "language_embedding_size": 4}
KINDS = {
    "stochastic durations": {},
    "deterministic durations": PLAIN,
    "speakers": TABLE,
    "speakers, deterministic durations": TABLE | PLAIN,
    "languages": LANGUAGES,
    "languages, speakers, deterministic durations": LANGUAGES | TABLE | PLAIN,
    "blocks of type 2": {"resblock_type": "2"},
}
QUIET = {"noise_scale": 0.0, "noise_scale_duration": 0.0}


@pytest.fixture
def model(make_model):
    return make_model(**SHAPE)


def say(model, text, **controls):
    return model(**text, **QUIET, speaking_rate=1.0, **controls).waveform


def notes_of(path):
    return " ".join(convert(path).notes)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("kind", [*KINDS, "speakers, old PyTorch"])
def test_every_tensor_comes_back_and_the_voice_sounds_the_same(make_model, text, tmp_path, kind):
    weight_format = "old" if kind.endswith("old PyTorch") else "new"
    model = make_model(**SHAPE, **KINDS[kind.removesuffix(", old PyTorch")])
    languages = {"languages": ["en", "fr"]} if model.config.language_embedding_size else {}

    voice = convert(write_voice(tmp_path, model, languages, weight_format=weight_format))

    assert voice.state_dict.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(voice.state_dict[name], tensor), name
    who = {"speaker_id": [2, 0, 1]} if model.config.num_speakers > 1 else {}
    who |= {"language_id": [1, 0, 1]} if languages else {}
    assert torch.equal(say(voice.model(), text, **who), say(model, text, **who))


def test_weight_norm_of_the_decoder_is_folded(model, tmp_path):
    voice = convert(write_voice(tmp_path, model, normed_decoder=True))

    for name in ("decoder.upsampler.1.weight", "decoder.resblocks.0.convs1.0.weight"):
        torch.testing.assert_close(voice.state_dict[name], 2 * model.state_dict()[name])


def test_what_lies_beside_a_voice_is_noted_and_left(model, tmp_path):
    file = write_voice(tmp_path, model, {"model_args.max_inference_len": 99})
    state = torch.load(file)
    state["model"] |= {"speaker_encoder.layer1.weight": torch.ones(2, 2), "audio_resampler.kernel": torch.ones(3)}
    torch.save(state, file)

    notes = notes_of(file)

    assert "the encoder of speakers, which only training used: speaker_encoder.layer1.weight." in notes
    assert "resampling for training: audio_resampler.kernel." in notes
    assert "`max_inference_len` 99" in notes
    assert "Without discriminators: training creates new ones" in notes


def test_of_discriminators_given_beside_a_voice_its_own_are_not_taken(model, tmp_path):
    shape = {"period_channels": [4, 8], "scale_channels": [4] * 6}
    own, given = (VitsDiscriminator(VitsDiscriminatorConfig(**shape)) for _ in range(2))
    torch.save({"model": given.state_dict()}, tmp_path / "D_7.pth")

    voice = convert(write_voice(tmp_path, model, discriminators=own), discriminator=tmp_path / "D_7.pth")

    for name, tensor in given.state_dict().items():
        assert torch.equal(voice.discriminator.state_dict[name], tensor)


def test_the_discriminators_come_along(model, tmp_path):
    shape = {"periods": [2, 5], "period_channels": [4, 8, 8], "scale_channels": [4, 4, 8, 8, 8, 8]}
    discriminators = VitsDiscriminator(VitsDiscriminatorConfig(**shape))
    changes = {"model_args.periods_multi_period_discriminator": [2, 5]}

    voice = convert(write_voice(tmp_path, model, changes, discriminators=discriminators))
    voice.save(tmp_path / "voice")

    again = VitsDiscriminator.from_pretrained(tmp_path / "voice", subfolder="discriminator")
    waveform = torch.randn(1, 1, 300, generator=torch.Generator().manual_seed(0))
    assert not ModelInitialization.from_pretrained(str(tmp_path / "voice")).new_modules
    for ours, theirs in zip(again(waveform).logits, discriminators.eval()(waveform).logits, strict=True):
        assert torch.equal(ours, theirs)


def test_discriminators_with_spectral_norm_are_left_out(model, tmp_path):
    file = write_voice(tmp_path, model)
    state = torch.load(file)
    state["model"] |= {
        "disc.nets.0.convs.0.weight_orig": torch.ones(4, 1, 5),
        "disc.nets.0.convs.0.bias": torch.ones(4),
    }
    torch.save(state, file)

    voice = convert(file)

    assert voice.discriminator is None
    assert "they have spectral norm" in " ".join(voice.notes)


@pytest.mark.parametrize("inside", [False, True])
def test_the_state_of_training_beside_the_weights_is_noted(make_model, tmp_path, inside):
    rest = {"optimizer": {"state": {}}, "scaler": None}

    notes = notes_of(write_voice(tmp_path, make_model(**SHAPE), inside=inside, rest=rest))

    assert "Left out, the state of training beside the weights: optimizer, step, date." in notes


def one_row(tmp_path, model, changes=None):
    """A voice with a table of one speaker, which is the first of the model's."""
    file = write_voice(tmp_path, model, changes)
    state = torch.load(file)
    state["model"]["emb_g.weight"] = state["model"]["emb_g.weight"][:1]
    torch.save(state, file)
    return file


def test_the_vector_of_the_only_speaker_becomes_a_part_of_biases(make_model, text, tmp_path):
    model = make_model(**SHAPE, **TABLE)

    voice = convert(one_row(tmp_path, model, {"speakers": ["ada"]}))

    assert (voice.config.num_speakers, voice.config.speaker_embedding_size) == (1, 0)
    assert voice.config.speaker_names == ["ada"]
    torch.testing.assert_close(say(voice.model(), text), say(model, text, speaker_id=0), rtol=0, atol=2e-5)
    spectrogram = torch.rand(1, 9, 12, generator=torch.Generator().manual_seed(1))
    mask, noise = torch.ones(1, 1, 12), [torch.Generator().manual_seed(2) for _ in range(2)]
    seen = model.posterior_encoder(spectrogram, mask, model.speaker_vector(0, 1), noise[0])
    for ours, theirs in zip(voice.model().posterior_encoder(spectrogram, mask, None, noise[1]), seen, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_weight_norm_that_does_not_fit_is_refused_before_it_is_computed(make_model, tmp_path):
    file = one_row(tmp_path, make_model(**SHAPE, **TABLE))
    state = torch.load(file)
    name = "flow.flows.0.enc.cond_layer.parametrizations.weight.original0"
    state["model"][name] = state["model"][name][:2].clone()
    torch.save(state, file)

    with pytest.raises(ValueError, match=r"cond_layer has g \(2, 1, 1\) for v \(64, 6, 1\); they must match"):
        convert(file)


def test_one_speaker_that_deterministic_durations_see_is_refused(make_model, tmp_path):
    with pytest.raises(ValueError, match="one speaker with a vector, and a deterministic duration predictor"):
        convert(one_row(tmp_path, make_model(**SHAPE, **TABLE, **PLAIN)))


@pytest.mark.parametrize("fields", [{}, PLAIN], ids=["stochastic", "plain"])
def test_durations_that_do_not_see_the_speaker_are_the_same_for_all(make_model, text, tmp_path, fields):
    model = make_model(**SHAPE, **TABLE, **fields)

    voice = convert(write_voice(tmp_path, model, {"model_args.condition_dp_on_speaker": False}))

    assert not voice.state_dict["duration_predictor.cond.weight"].any()
    said = [voice.model()(**text, **QUIET, speaker_id=who).durations for who in (0, 1)]
    assert torch.equal(*said)
    assert "the layer for it is 0" in " ".join(voice.notes)


def test_a_decoder_of_another_rate_can_speak_and_stretched_latents_are_refused(model, text, tmp_path):
    rates = {"model_args.encoder_sample_rate": 11_025, "model_args.interpolate_z": False, "audio.hop_length": 4}

    voice = convert(write_voice(tmp_path, model, rates))

    assert voice.config.inference_only
    assert torch.equal(say(voice.model(), text), say(model, text))
    assert "posterior encoder takes 11,025 Hz" in " ".join(voice.notes)
    with pytest.raises(ValueError, match="stretches its latents between flow and decoder"):
        convert(write_voice(tmp_path, model, rates | {"model_args.interpolate_z": True}))


CONTRADICTIONS = {
    "hidden_channels": (32, "`hidden_size` in .* is 32, but the weights have 16"),
    "num_heads_text_encoder": (4, "`num_attention_heads` in .* is 4, but the weights have 2"),
    "num_layers_text_encoder": (3, "`num_hidden_layers` in .* is 3"),
    "use_sdp": (False, "`use_stochastic_duration_prediction` in .* is False"),
    "out_channels": (10, "`spectrogram_bins` in .* is 10, but the weights have 9"),
    "num_layers_posterior_encoder": (16, "`posterior_encoder_num_wavenet_layers` in .* is 16"),
    "resblock_type_decoder": ("2", "`resblock_type` in .* is 2"),
    "resblock_kernel_sizes_decoder": ([3, 7], r"`resblock_kernel_sizes` in .* is \[3, 7\]"),
    "upsample_rates_decoder": ([2, 2], "`hop_length` in .* is 8, but the weights have 4"),
    "dilation_rate_posterior_encoder": (2, "`model_args.dilation_rate_posterior_encoder` .* must be 1"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_files_that_contradict_each_other_are_refused(model, tmp_path, name):
    value, message = CONTRADICTIONS[name]
    with pytest.raises(ValueError, match=message):
        convert(write_voice(tmp_path, model, {f"model_args.{name}": value}))


def test_stochastic_durations_of_another_width_than_the_text_are_refused(model, tmp_path):
    file = write_voice(tmp_path, model)
    state = torch.load(file)
    state["model"]["duration_predictor.pre.weight"] = torch.zeros(192, 16, 1)
    torch.save(state, file)

    with pytest.raises(ValueError, match="has 192 channels, as it has in Coqui whatever `hidden_channels` is"):
        convert(file)


def test_a_saved_voice_is_loaded_as_any_other(make_model, text, tmp_path):
    model = make_model(**SHAPE, **LANGUAGES, **TABLE)
    voice = convert(write_voice(tmp_path, model, {"languages": ["en", "fr"], "speakers": ["a", "b", "c"]}))

    folder = voice.save(tmp_path / "voice")

    again, who = VitsModel.from_pretrained(folder), {"speaker_id": "b", "language_id": "fr"}
    torch.testing.assert_close(say(again, text, **who), say(model, text, speaker_id=1, language_id=1))
    assert VitsTokenizer.from_pretrained(folder).cleaner == "phoneme_cleaners"
    assert "`tokenizer.phoneme_language`" in " ".join(voice.notes)


def test_an_epsilon_of_its_own_keeps_stock_transformers_away(make_model, tmp_path):
    voice = convert(write_voice(tmp_path, make_model(**SHAPE, **PLAIN)))

    assert voice.config.duration_predictor_layer_norm_eps == 1e-4
    assert voice.config.to_dict()["model_type"] == "hf_vits"


def test_a_layer_that_no_vits_has_is_an_error_that_names_it(model, tmp_path):
    file = write_voice(tmp_path, model)
    state = torch.load(file)
    state["model"] = tensors_of(model) | {"pitch_predictor.weight": torch.ones(2)}
    torch.save(state, file)

    with pytest.raises(ValueError, match="1 tensors belong to no part of a VITS generator .* pitch_predictor.weight"):
        convert(file)
