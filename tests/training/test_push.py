"""A trained voice on the Hub: what arrives there speaks, shows itself, and can be trained further by anyone."""

import re

import huggingface_hub.constants as hub_constants
import pytest
import torch
from huggingface_hub import ModelCard, hf_api
from safetensors.torch import save
from stub_hub import Hub

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.training import ModelInitialization

IDS = torch.tensor([[0, 3, 0, 5, 0, 9, 0]])


@pytest.fixture
def online(hub, monkeypatch, tmp_path):
    """Lets huggingface_hub, in this process, take the stub for the Hub."""
    monkeypatch.setattr(hub_constants, "ENDPOINT", hub)
    monkeypatch.setattr(hub_constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(hf_api.api, "endpoint", hub)
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub_constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_stub")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_pushed_voice_speaks_and_is_trained_further_from_the_hub(online, make_trainer, make_data):
    data = make_data(4, seconds=0.4, text=["a hope"] * 4)
    trainer = make_trainer(data=data, held_out=data.select([0]), max_steps=1, report_to=["tensorboard"])
    trainer.train()
    (trainer.output_dir / ".secret").write_text("stays")
    trainer.push_to_hub(private=True)
    files = set(Hub.files)
    assert Hub.created[0]["name"] == "out"
    assert Hub.created[0].get("visibility") == "private" or Hub.created[0].get("private")  # as older clients say it
    assert {"config.json", "model.safetensors", "vocab.json", "tokenizer_config.json", "README.md"} <= files
    assert {"discriminator/config.json", "discriminator/model.safetensors", "history.jsonl"} <= files
    assert (trainer.output_dir / "runs").is_dir() and list(trainer.output_dir.glob("checkpoint-*"))
    assert not [name for name in files if re.match(r"checkpoint-|runs/|samples/|\.", name)]

    card = ModelCard.load("org/voice")
    shown = set(re.findall(r"card/[\w.-]+", card.text))
    assert {name.rsplit(".", 1)[1] for name in shown} == {"wav", "png"} and shown <= files
    assert 'voice = "org/voice"' in card.text

    model, tokenizer = VitsModel.from_pretrained("org/voice"), VitsTokenizer.from_pretrained("org/voice")
    released = VitsModel.from_pretrained(trainer.output_dir)
    speech = [m(IDS, generator=torch.Generator().manual_seed(3)).waveform for m in (model, released)]
    assert torch.equal(*speech) and tokenizer.get_vocab() == trainer.tokenizer.get_vocab()

    start = ModelInitialization.load("org/voice")
    judges = trainer.discriminator.module.state_dict()
    assert not start.has_fresh_parts and start.origin.on_hub == ["org/voice"]
    assert all(torch.equal(value, judges[name]) for name, value in start.discriminator.state_dict().items())


@pytest.mark.parametrize("inside", [False, True])
def test_judges_on_the_hub_may_be_among_the_tensors_or_not_there(online, make_model, tmp_path, inside):
    few = {"period_channels": [4], "scale_channels": [4, 4, 8, 8, 8, 8]}
    model, judges = make_model(), VitsDiscriminator(VitsDiscriminatorConfig(**few))
    model.save_pretrained(tmp_path)
    tensors = {f"discriminator.{name}": value for name, value in judges.state_dict().items()} if inside else {}
    Hub.files["config.json"] = (tmp_path / "config.json").read_bytes()
    Hub.files["model.safetensors"] = save({**model.state_dict(), **tensors})
    start = ModelInitialization.load("org/voice", config=judges.config)
    assert start.fresh_discriminator is not inside
    found = start.discriminator.state_dict()
    assert all(torch.equal(value, found[name]) == inside for name, value in judges.state_dict().items() if value.any())
