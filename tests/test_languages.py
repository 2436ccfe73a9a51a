"""Models of several languages: the text encoder and the duration predictor get a vector of each language."""

import pytest
import torch

from hf_vits import TextToSpeechPipeline, VitsConfig, VitsModel
from hf_vits.configuration_vits import EXTENDED_MODEL_TYPE
from hf_vits.data.batch import VitsBatch
from hf_vits.training.generator import VitsGenerator

LANGUAGES = {"num_languages": 3, "language_embedding_size": 4, "language_names": ["en", "fr", "pt"]}
KINDS = {
    "stochastic durations": {},
    "plain durations": {"use_stochastic_duration_prediction": False},
    "speakers too": {"num_speakers": 3, "speaker_embedding_size": 6, "speaker_names": ["ada", "bea", "cem"]},
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def model(request, make_model):
    return make_model(**LANGUAGES, **request.param)


def synthesize(model, text, **controls):
    if model.config.num_speakers > 1:
        controls["speaker_id"] = 1
    return model(**text, noise_scale=0.0, noise_scale_duration=0.0, **controls)


def test_each_item_of_a_batch_equals_its_single_run_in_its_language(model, text):
    batch = synthesize(model, text, language_id=["pt", "en", "fr"])

    for item, language in enumerate(["pt", "en", "fr"]):
        length = int(text["attention_mask"][item].sum())
        single = synthesize(model, {"input_ids": text["input_ids"][item : item + 1, :length]}, language_id=language)
        samples = int(single.sequence_lengths)
        assert int(batch.sequence_lengths[item]) == samples
        torch.testing.assert_close(batch.waveform[item, :samples], single.waveform[0], rtol=0, atol=2e-6)
        assert not batch.waveform[item, samples:].any()


def test_languages_differ_in_hidden_states_and_durations(model, text):
    language = [model.language_vector(name, 3) for name in ("en", "fr")]
    mask = text["attention_mask"].unsqueeze(1).float()
    hidden = [model.text_encoder(text["input_ids"], mask, language=vector).hidden for vector in language]

    assert (hidden[0] - hidden[1]).abs().max() > 1e-2
    noise = [torch.zeros(3, 2, 9)] if model.config.use_stochastic_duration_prediction else []
    durations = [model.duration_predictor(hidden[0], mask, *noise, language=vector) for vector in language]
    assert (durations[0] - durations[1]).abs().max() > 1e-2


def test_names_and_indices_select_the_same_language(model, text):
    by_name, by_number = (synthesize(model, text, language_id=chosen) for chosen in ("fr", 1))

    assert torch.equal(by_name.waveform, by_number.waveform)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (None, r"3 languages \(en, fr, pt\) and none was chosen"),
        ("de", r"no language 'de' in this model; its languages are \['en', 'fr', 'pt'\]"),
        (3, "`language_id` is 3, but this model has 3 language"),
        (["en"], "`language_id` has 1 values for a batch of 3"),
    ],
)
def test_an_unknown_language_is_refused(make_model, text, chosen, message):
    with pytest.raises(ValueError, match=message):
        make_model(**LANGUAGES)(**text, language_id=chosen)


def test_a_vector_of_another_size_or_a_missing_one_is_refused(make_model, text):
    model = make_model(**LANGUAGES)

    for language in (None, torch.zeros(3, 5, 1)):
        with pytest.raises(ValueError, match=r"this model of 3 language\(s\) takes a vector \(3, 4, 1\)"):
            model.prior(**text, language=language)
    with pytest.raises(ValueError, match="takes None"):
        make_model().prior(**text, language=torch.zeros(3, 4, 1))


def test_the_only_language_need_not_be_named(make_model, text):
    model = make_model(num_languages=1, language_embedding_size=4, language_names=["en"])

    assert torch.equal(synthesize(model, text).waveform, synthesize(model, text, language_id="en").waveform)


def test_a_model_of_several_languages_is_saved_for_this_package_only_and_loads_again(make_model, text, tmp_path):
    model = make_model(**LANGUAGES)
    model.save_pretrained(tmp_path)

    again = VitsModel.from_pretrained(tmp_path)

    assert model.config.needs_extension and model.config.to_dict()["model_type"] == EXTENDED_MODEL_TYPE
    assert torch.equal(
        synthesize(again, text, language_id="pt").waveform, synthesize(model, text, language_id="pt").waveform
    )


def test_a_pipeline_synthesizes_texts_in_their_languages_and_streams_the_same(make_model, make_tokenizer):
    model = make_model(vocab_size=20, **LANGUAGES)
    pipe = TextToSpeechPipeline(model, make_tokenizer())
    quiet = {"noise_scale": 0.0, "noise_scale_duration": 0.0}

    one, other = pipe(["ab cd", "ab cd"], language_id=["en", "pt"], batch_size=2, **quiet)

    assert one["audio"].shape != other["audio"].shape or abs(one["audio"] - other["audio"]).max() > 1e-4
    streamed = torch.cat([torch.from_numpy(p["audio"]) for p in pipe.stream("ab cd", language_id="pt", **quiet)])
    torch.testing.assert_close(streamed, torch.from_numpy(other["audio"]), rtol=0, atol=1e-5)


def test_training_refuses_several_languages_and_trains_the_only_one(make_model, text):
    with pytest.raises(ValueError, match="has 3 languages"):
        VitsGenerator(make_model(**LANGUAGES))
    model = make_model(num_languages=1, language_embedding_size=4)
    noise = torch.Generator().manual_seed(0)
    batch = VitsBatch(
        input_ids=text["input_ids"],
        text_lengths=text["attention_mask"].sum(dim=1),
        waveform=torch.rand(3, 1, 160, generator=noise) - 0.5,
        waveform_lengths=torch.tensor([160, 120, 128]),
        rows=torch.arange(3),
    )

    out = VitsGenerator(model.train(), segment_frames=4)(batch, noise)
    (out.duration_loss + out.prior_mean.sum()).backward()

    assert model.embed_language.weight.grad.abs().max() > 0
    assert model.duration_predictor.cond_language.weight.grad.abs().max() > 0


def test_attention_heads_must_divide_the_channels_with_the_language():
    with pytest.raises(ValueError, match=r"`hidden_size` \(192\) with `language_embedding_size` \(3\) must be a mult"):
        VitsConfig(language_embedding_size=3)
    with pytest.raises(ValueError, match="`num_languages` is 2 but `language_embedding_size` is 0"):
        VitsConfig(num_languages=2)


def test_the_deterministic_duration_predictor_has_its_own_epsilon(make_model, text):
    plain = {"use_stochastic_duration_prediction": False}
    model, other = make_model(**plain), make_model(**plain, duration_predictor_layer_norm_eps=1e-1)

    assert not model.config.needs_extension and other.config.needs_extension
    assert {norm.eps for norm in (other.duration_predictor.norm_1, other.duration_predictor.norm_2)} == {1e-1}
    assert model.duration_predictor.norm_1.eps == model.config.layer_norm_eps
    assert other.text_encoder.encoder.layers[0].layer_norm.eps == model.config.layer_norm_eps
    assert not VitsConfig(duration_predictor_layer_norm_eps=1e-1).needs_extension  # nothing there has it
    with pytest.raises(ValueError, match="`duration_predictor_layer_norm_eps` is 0.0"):
        VitsConfig(duration_predictor_layer_norm_eps=0.0)
