"""Fields, speakers and languages of a Coqui voice, from its configuration and the files beside it."""

import json

import pytest
import torch
from coqui_files import config_of, write_voice

from hf_vits.conversion import convert

SHAPE = {"flow_size": 16}
TABLE = {"num_speakers": 3, "speaker_embedding_size": 6}
LANGUAGES = {"num_languages": 2, "language_embedding_size": 4}


@pytest.fixture
def model(make_model):
    return make_model(**SHAPE)


def test_the_configuration_is_read_from_file_and_shapes(model, tmp_path):
    config = convert(write_voice(tmp_path, model)).config

    same = (
        "hidden_size vocab_size num_attention_heads num_hidden_layers upsample_rates resblock_dilation_sizes fft_size"
    )
    for name in same.split():
        assert getattr(config, name) == getattr(model.config, name), name
    assert (config.noise_scale, config.noise_scale_duration, config.speaking_rate) == (0.5, 1.0, 0.8)
    assert (config.hidden_dropout, config.duration_predictor_dropout) == (0.2, 0.4)
    assert (config.sampling_rate, config.num_mel_bins, config.mel_fmin, config.mel_fmax) == (22_050, 12, 20.0, None)
    assert config.blank_id == 19
    assert not config.needs_extension


def test_a_voice_that_says_nothing_of_its_controls_has_coquis(model, tmp_path):
    silent = {
        f"model_args.{name}": ... for name in ("inference_noise_scale", "inference_noise_scale_dp", "length_scale")
    }

    config = convert(write_voice(tmp_path, model, silent)).config

    assert (config.noise_scale, config.noise_scale_duration, config.speaking_rate) == (0.667, 1.0, 1.0)


def test_the_configuration_may_be_inside_beside_or_elsewhere(model, tmp_path):
    inside = write_voice(tmp_path, model, {"audio.sample_rate": 8_000}, inside=True)
    assert convert(inside).config.sampling_rate == 8_000
    (tmp_path / "config.json").write_text(json.dumps(config_of(model)))
    assert convert(inside).config.sampling_rate == 22_050
    (tmp_path / "other.json").write_text(json.dumps(config_of(model, {"audio.sample_rate": 24_000})))
    assert convert(tmp_path, config=tmp_path / "other.json").config.sampling_rate == 24_000


def test_speakers_are_named_by_the_configuration_or_a_file(make_model, tmp_path):
    model = make_model(**SHAPE, **TABLE)
    assert "The speakers have no names: there is no speakers.pth" in " ".join(
        convert(write_voice(tmp_path, model)).notes
    )

    ids = {"cem": 2, "ada": 0}
    torch.save(ids, tmp_path / "speakers.pth")
    assert convert(write_voice(tmp_path, model)).config.speaker_names == ["ada", "1", "cem"]
    (tmp_path / "mine.json").write_text(json.dumps({"x": 1, "y": 0, "z": 2}))
    named = {"model_args.speakers_file": "/elsewhere/run/mine.json"}
    assert convert(write_voice(tmp_path, model, named)).config.speaker_names == ["y", "x", "z"]
    listed = {"speakers": ["p", "q", "r"]}
    assert convert(write_voice(tmp_path, model, named | listed)).config.speaker_names == ["p", "q", "r"]


def test_a_folder_is_a_voice_though_a_file_of_speakers_lies_in_it(make_model, tmp_path):
    write_voice(tmp_path, make_model(**SHAPE, **TABLE))
    torch.save({"ada": 0, "bea": 1, "cem": 2}, tmp_path / "speakers.pth")

    assert convert(tmp_path).config.speaker_names == ["ada", "bea", "cem"]


@pytest.mark.parametrize("suffix", [".json", ".pth"])
def test_the_mean_of_a_speakers_outside_vectors_becomes_a_row(make_model, tmp_path, suffix):
    model = make_model(**SHAPE, **TABLE)
    file = write_voice(tmp_path, model, {"model_args.d_vector_file": [f"/data/vectors{suffix}"]})
    state = torch.load(file)
    table = state["model"].pop("emb_g.weight")
    torch.save(state, file)
    with pytest.raises(FileNotFoundError, match=f"Put vectors{suffix} of the run .* beside best_model.pth"):
        convert(file)
    lengths = torch.tensor([[0.5], [2.0], [7.0]])
    wiggle = torch.randn(3, 6, generator=torch.Generator().manual_seed(3))
    clips = {
        f"clip {sign} {number}": {"name": name, "embedding": (row * length + sign * noise).tolist()}
        for number, (name, row, length, noise) in enumerate(
            zip(["cem", "ada", "bea"], table, lengths, wiggle, strict=True)
        )
        for sign in (1, -1)
    }
    if suffix == ".json":
        (tmp_path / "vectors.json").write_text(json.dumps(clips))
    else:
        torch.save(clips, tmp_path / "vectors.pth")

    voice = convert(file)

    unit = table / table.norm(dim=1, keepdim=True)  # Coqui gives the network vectors of length 1
    assert voice.config.speaker_names == ["ada", "bea", "cem"]
    torch.testing.assert_close(voice.state_dict["embed_speaker.weight"], unit[[1, 2, 0]])


def test_languages_are_named_by_the_configuration_the_data_or_a_file(make_model, tmp_path):
    model = make_model(**SHAPE, **LANGUAGES)
    assert convert(write_voice(tmp_path, model, {"languages": ["en", "fr"]})).config.language_names == ["en", "fr"]
    old = {"languages": ..., "datasets": [{"language": "pt-br"}, {"language": "en"}, {"language": "en"}, {"name": "x"}]}
    assert convert(write_voice(tmp_path, model, old)).config.language_names == ["en", "pt-br"]
    unknown = convert(write_voice(tmp_path, model, {"languages": ["en"]}))
    assert unknown.config.language_names is None
    assert "The 2 languages have no names: there is no language_ids.json" in " ".join(unknown.notes)
    (tmp_path / "language_ids.json").write_text(json.dumps({"tr": 1, "fi": 0}))
    assert convert(write_voice(tmp_path, model)).config.language_names == ["fi", "tr"]


def test_another_model_of_coquis_and_a_voice_without_configuration_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match="`model` in .*config.json is 'glow_tts'; it must be 'vits'"):
        convert(write_voice(tmp_path, model, {"model": "glow_tts"}))
    (tmp_path / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"config.json is missing. Put it beside best_model.pth.*--config"):
        convert(tmp_path / "best_model.pth")


class Coqpit:
    """Stands for Coqui's own configuration object, which reading does not bring to life."""

    model = "vits"


def test_a_configuration_that_is_an_object_says_how_to_save_it_again(model, tmp_path):
    file = write_voice(tmp_path, model, rest={"config": Coqpit()})
    (tmp_path / "config.json").unlink()

    with pytest.raises(ValueError, match=r"object of Coqui's code\. .*state\['config'\] = config.to_dict\(\)"):
        convert(file)
