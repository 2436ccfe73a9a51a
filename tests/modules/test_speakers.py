import json

import pytest
import torch
import transformers
from torch.nn.utils import parametrize

from hf_vits import VitsModel
from hf_vits.data.batch import VitsBatch
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.losses import kl_loss, mel_loss

IDS = torch.arange(1, 13)[None]
KINDS = {
    "default": {},
    "second residual block": {"resblock_type": "2"},
    "plain durations": {"use_stochastic_duration_prediction": False},
    "inference only": {"inference_only": True},
}
TABLE = {"num_speakers": 3, "speaker_embedding_size": 6}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def kind(request):
    return request.param


def speech(model, speaker=None, **controls):
    return model(IDS, speaker_id=speaker, generator=torch.Generator().manual_seed(7), **controls).waveform


def train(model, steps=3):
    """Some steps on clips of as many pitches and levels as there are speakers."""
    count, time = model.config.num_speakers, torch.arange(300) / 16_000
    pitches, levels = torch.linspace(500, 3000, count)[:, None], torch.linspace(0.5, 0.1, count)[:, None]
    batch = VitsBatch(
        input_ids=IDS[:, :9].repeat(count, 1),
        text_lengths=torch.full((count,), 9),
        waveform=((2 * torch.pi * pitches * time).sin() * levels).to(model.dtype)[:, None],
        waveform_lengths=torch.full((count,), 300),
        rows=torch.arange(count),
        speaker_id=torch.arange(count),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4)
    for step in range(steps):
        optimizer.zero_grad()
        out = VitsGenerator(model.train(), 16)(batch, torch.Generator().manual_seed(step))
        kl = kl_loss(out.prior_latents, out.posterior_log_std, out.prior_mean, out.prior_log_std, out.frame_mask)
        (mel_loss(out.real_mel, out.fake_mel) + kl + out.duration_loss).backward()
        optimizer.step()
    return model.eval()


def layers_that_see_a_speaker(model):
    modules = dict(model.named_modules())
    return {name: modules[name] for name in modules if name.endswith((".cond", ".cond_layer"))}


def test_every_speaker_of_a_widened_voice_sounds_exactly_as_its_only_one_did(make_model, kind):
    model = make_model(**kind)
    before = speech(model)
    model.resize_speakers(["ada", "bea", "cem"])
    assert model.embed_speaker.weight.shape == (3, 256)
    for speaker in ("ada", "bea", 2):
        assert torch.equal(speech(model, speaker), before)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("training", [True, False])
def test_a_widened_voice_has_the_layers_of_a_new_one_in_the_same_order(make_model, kind, training):
    """Optimizers know parameters by their order, and a run goes on with a model that was loaded."""
    model = make_model(**kind).train(training)
    model.resize_speakers(["ada", "bea"], speaker_embedding_size=6)
    new = VitsModel(model.config).train(training)
    assert [(name, p.shape) for name, p in model.named_parameters()] == [
        (name, p.shape) for name, p in new.named_parameters()
    ]
    assert str(model) == str(new)
    assert {module.training for module in model.modules()} == {training}
    assert all(p.requires_grad for p in model.parameters())


def test_a_widened_voice_keeps_the_parameters_it_had(make_model):
    model = make_model()
    before = dict(model.named_parameters())
    model.resize_speakers(["ada", "bea"])
    after = dict(model.named_parameters())
    assert len(after) > len(before) and all(after[name] is p for name, p in before.items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("fields", [{}, TABLE], ids=["one speaker", "several"])
def test_new_tensors_have_the_models_dtype(make_model, fields, dtype):
    model = make_model(**fields).to(dtype)
    model.resize_speakers(["ada", "bea", "cem", "dan"])
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert torch.isfinite(speech(model, "dan").float()).all()


def test_new_tensors_are_on_the_models_device(make_config):
    with torch.device("meta"):
        model = VitsModel(make_config())
    model.resize_speakers(["ada", "bea"])
    model.resize_speakers(["ada", "bea", "cem"])
    assert {p.device.type for p in model.parameters()} == {"meta"}


@pytest.mark.thorough
@pytest.mark.parametrize("fields", [f for f in KINDS.values() if "inference_only" not in f])
def test_speakers_of_a_widened_voice_diverge_when_trained(make_model, fields):
    model = make_model(**fields)
    model.resize_speakers(["ada", "bea", "cem"])
    table = model.embed_speaker.weight.detach().clone()
    train(model)
    assert (model.embed_speaker.weight != table).any(dim=1).all()
    vectors = model.embed_speaker.weight.detach()[:, :, None]
    layers = layers_that_see_a_speaker(model)
    assert len(layers) == 2 + model.config.prior_encoder_num_flows + 1
    for name, layer in layers.items():
        said = layer(vectors)
        for one, two in ((0, 1), (0, 2), (1, 2)):
            assert (said[one] - said[two]).abs().max() > 1e-4, name
    durations = torch.full((1, 12), 3)
    spoken = [speech(model, speaker, durations=durations) for speaker in range(3)]
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert (spoken[one] - spoken[two]).abs().max() > 1e-3


def test_new_speakers_start_as_the_mean_of_the_others_and_diverge_when_trained(make_model, speakers):
    model = make_model(**speakers)
    mean = model.embed_speaker.weight.detach().mean(dim=0)
    model.resize_speakers(["ada", "bea", "cem", "dan", "eve"])
    for speaker in (3, 4):
        torch.testing.assert_close(model.embed_speaker.weight[speaker], mean, rtol=0, atol=1e-6)
    assert torch.equal(speech(model, "dan"), speech(model, "eve"))
    train(model)
    durations = torch.full((1, 12), 3)
    assert (speech(model, "dan", durations=durations) - speech(model, "eve", durations=durations)).abs().max() > 1e-5


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(
    ("names", "voices"),
    [
        (["ada", "bea", "cem"], [0, 1, 2]),
        (["cem", "ada", "bea"], [2, 0, 1]),
        (["ada", "dan", "cem"], [0, 1, 2]),
        (["dan", "eve", "fay"], [0, 1, 2]),
        (["bea", "ada", "dan"], [1, 0, 2]),
        (["dan", "ada", "bea", "cem"], [None, 0, 1, 2]),
        (["cem", "dan", "ada", "eve", "fay"], [2, 1, 0, None, None]),
    ],
)
def test_speakers_renamed_or_in_another_order_keep_their_voices(make_model, speakers, names, voices):
    model = make_model(**speakers)
    before = [speech(model, speaker) for speaker in range(3)]
    assert not torch.equal(before[0], before[1])
    model.resize_speakers(names)
    assert (model.config.num_speakers, model.config.speaker_names) == (len(names), names)
    assert model.embed_speaker.num_embeddings == len(names)
    for name, voice in zip(names, voices, strict=True):
        same = [torch.equal(speech(model, name), waveform) for waveform in before]
        assert same == [voice == number for number in range(3)]


def test_speakers_without_names_are_named_by_their_places(make_model):
    model = make_model(**TABLE)
    before = [speech(model, speaker) for speaker in range(3)]
    model.resize_speakers(["ada", "bea", "cem", "dan"])
    assert all(torch.equal(speech(model, name), w) for name, w in zip(("ada", "bea", "cem"), before, strict=True))


@pytest.mark.thorough
@pytest.mark.parametrize("fields", [{}, {"speaker_names": ["eve"]}, {"speaker_embedding_size": 6}])
def test_one_name_only_names_a_voice_of_one_speaker(make_model, fields, tmp_path):
    model = make_model(**fields)
    before, keys = speech(model), list(model.state_dict())
    model.resize_speakers(["ada"])
    assert list(model.state_dict()) == keys
    model.save_pretrained(tmp_path)
    loaded = VitsModel.from_pretrained(tmp_path)
    assert loaded.config.speaker_names == ["ada"] and loaded.config.num_speakers == 1
    assert torch.equal(speech(loaded, "ada"), before)


@pytest.mark.parametrize(
    ("fields", "names", "parts"),
    [
        (TABLE, ["ann", "ben"], ["speaker(s) 2 of 3", "ever dropped"]),
        ({**TABLE, "speaker_names": ["ada", "bea", "cem"]}, ["ada", "cem"], ["1 ('bea')", "ever dropped"]),
        ({**TABLE, "speaker_names": ["ada", "bea", "cem"]}, ["bea", "dan", "eve", "fay"], ["0 ('ada')"]),
        ({"speaker_names": ["eve"]}, [], ["[]", "at least one speaker"]),
        (TABLE, ["ada", "bea", "ada"], ["repeats ['ada']"]),
        (TABLE, ["ada", "", "cem"], ["no empty name"]),
        (TABLE, ["ada", " ", "cem"], ["no empty name"]),
        (TABLE, "ada", ["'ada'", "give a list"]),
        (TABLE, ["ada", 1, "cem"], ["give a list"]),
        ({"speaker_embedding_size": 6}, ["ada", "bea"], ["vectors of 6 channels as input", "one name"]),
    ],
)
def test_what_would_lose_or_confuse_speakers_is_refused_and_changes_nothing(make_model, fields, names, parts):
    model = make_model(**fields)
    config, keys = model.config.to_dict(), list(model.state_dict())
    with pytest.raises(ValueError) as caught:
        model.resize_speakers(names)
    for part in parts:
        assert part in str(caught.value)
    assert model.config.to_dict() == config and list(model.state_dict()) == keys


def test_another_size_than_the_voice_has_is_refused(make_model):
    model = make_model(**TABLE)
    with pytest.raises(ValueError, match="is 8, but this model has speaker vectors of 6"):
        model.resize_speakers(["ada", "bea", "cem"], speaker_embedding_size=8)
    model.resize_speakers(["ada", "bea", "cem"], speaker_embedding_size=6)
    with pytest.raises(ValueError, match="several speakers need vectors"):
        make_model().resize_speakers(["ada", "bea"], speaker_embedding_size=0)


def test_a_model_of_the_same_configuration_is_not_touched(make_config):
    config = make_config()
    one, other = VitsModel(config), VitsModel(config)
    one.resize_speakers(["ada", "bea"])
    assert (one.config.num_speakers, other.config.num_speakers) == (2, 1)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("folded", [False, True])
def test_a_widened_voice_is_the_same_after_saving_and_loading(make_model, kind, folded, tmp_path):
    model = make_model(**kind)
    model.resize_speakers(["ada", "bea"])
    before = speech(model, "bea")
    if folded:
        for module in list(model.modules()):
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight")
    model.save_pretrained(tmp_path)
    loaded = VitsModel.from_pretrained(tmp_path)
    assert loaded.config.to_json_string() == model.config.to_json_string()
    torch.testing.assert_close(speech(loaded, "bea"), before, rtol=0, atol=1e-6 if folded else 0)


@pytest.mark.thorough
@pytest.mark.parametrize("fields", [{}, {"use_stochastic_duration_prediction": False}])
def test_stock_transformers_loads_a_widened_voice_and_says_the_same(make_model, fields, tmp_path):
    model = make_model(**fields)
    model.resize_speakers(["ada", "bea"])
    train(model).double().save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "vits"
    stock, report = transformers.VitsModel.from_pretrained(tmp_path, dtype=torch.float64, output_loading_info=True)
    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    for speaker in (0, 1):
        torch.manual_seed(3)
        theirs = stock.eval()(IDS, speaker_id=speaker).waveform
        torch.manual_seed(3)
        assert theirs.abs().max() > 0.05, "a silent oracle proves nothing"
        torch.testing.assert_close(model(IDS, speaker_id=speaker).waveform, theirs, rtol=0, atol=1e-11)
