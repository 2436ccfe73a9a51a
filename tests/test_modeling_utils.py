"""A model is pickled, copied and started again as any `PreTrainedModel`."""

import copy
import io
import pickle
import threading

import pytest
import torch
from tiny_voices import enliven

from hf_vits import VitsModel
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.export.graph import inference_copy

IDS = torch.arange(1, 13)[None]


@torch.no_grad()
def spoken(model, seed=3):
    return model(IDS, generator=torch.Generator().manual_seed(seed)).waveform


def saved_and_loaded(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("again", [lambda model: pickle.loads(pickle.dumps(model)), saved_and_loaded, copy.deepcopy])
def test_a_model_is_the_same_again(make_model, again):
    model = make_model().train()
    model.decoder.eval()
    model.flow.requires_grad_(False)
    model.name_or_path = "voices/one"
    back = again(model)
    assert type(back) is VitsModel and back.name_or_path == "voices/one"
    assert back.config.to_dict() == model.config.to_dict()
    for (name, one), (other_name, other) in zip(model.named_parameters(), back.named_parameters(), strict=True):
        assert name == other_name and torch.equal(one, other) and one.requires_grad == other.requires_grad
    assert [part.training for part in model.modules()] == [part.training for part in back.modules()]
    assert torch.equal(spoken(model.eval()), spoken(back.eval()))


def test_a_model_without_weight_norm_is_pickled_too(make_model):
    folded = inference_copy(make_model())
    for part in folded.modules():
        if torch.nn.utils.parametrize.is_parametrized(part, "weight"):
            torch.nn.utils.parametrize.remove_parametrizations(part, "weight")
    assert torch.equal(spoken(pickle.loads(pickle.dumps(folded))), spoken(folded))


def test_a_model_with_other_layers_says_what_to_save_instead(make_model):
    model = make_model()
    model.flow.flows.append(torch.nn.Linear(2, 2))
    with pytest.raises(TypeError, match="other layers than its configuration says.*save_pretrained"):
        pickle.dumps(model)


def test_discriminators_are_pickled():
    judges = VitsDiscriminator(VitsDiscriminatorConfig(periods=[2]))
    back = pickle.loads(pickle.dumps(judges))
    assert all(torch.equal(tensor, back.state_dict()[name]) for name, tensor in judges.state_dict().items())


def test_a_model_made_on_no_device_is_started_whole(make_config):
    config = make_config(hidden_size=64, vocab_size=2000)
    with torch.device("meta"):
        model = VitsModel(config)
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        parameter.data.fill_(torch.nan)
    model.init_weights()
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    assert model.text_encoder.embed_tokens.weight.std().item() == pytest.approx(64**-0.5, rel=0.02)
    assert not any(coupling.conv_post.weight.any() for coupling in model.flow.flows)


def test_building_a_model_draws_its_weights_once(make_config, monkeypatch):
    called = []
    monkeypatch.setattr("hf_vits.modeling_utils.start_anew", lambda model: called.append(model))
    VitsModel(make_config())
    assert called == []


def test_threads_that_share_a_freshly_loaded_voice_hear_what_one_hears(make_model, tmp_path):
    make_model().save_pretrained(tmp_path)
    alone = VitsModel.from_pretrained(tmp_path)
    expected = [spoken(alone, seed) for seed in range(8)]
    for _ in range(3):
        model, heard, start = VitsModel.from_pretrained(tmp_path), [None] * 8, threading.Barrier(8)

        def speak(seed, model=model, heard=heard, start=start):
            start.wait()
            heard[seed] = spoken(model, seed)

        threads = [threading.Thread(target=speak, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(torch.equal(one, other) for one, other in zip(heard, expected, strict=True))


def in_place(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.01)


def by_optimizer(model):
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    model(IDS, generator=torch.Generator().manual_seed(1)).waveform.square().sum().backward()
    optimizer.step()


def by_loading(model):
    model.load_state_dict(enliven(VitsModel(model.config), seed=5).state_dict())


@pytest.mark.parametrize("change", [in_place, by_optimizer, by_loading])
@pytest.mark.parametrize("wide", [False, True])
def test_a_model_that_has_spoken_and_then_changed_speaks_as_its_copy(make_model, change, wide):
    model = make_model(**({"upsample_initial_channel": 256, "resblock_kernel_sizes": [3, 11]} if wide else {}))
    before = spoken(model)
    change(model)
    after = spoken(model)
    assert after.shape != before.shape or not torch.equal(after, before)
    assert torch.equal(after, spoken(copy.deepcopy(model)))
