"""What is pushed to the Hub comes back the same."""

import pytest
import torch
from stub_hub import Hub
from transformers import AutoModel, AutoTokenizer

from hf_vits import VitsModel, VitsTokenizer


@pytest.mark.thorough
def test_a_pushed_voice_comes_back_from_the_hub_the_same(online, make_model, make_tokenizer, speakers, tmp_path):
    model, tokenizer = make_model(resblock_type="2", **speakers), make_tokenizer()
    model.save_pretrained(tmp_path / "voice")
    tokenizer.save_pretrained(tmp_path / "voice")

    def waveform(name, model_class, tokenizer_class, **cache):
        model, tokenizer = model_class.from_pretrained(name, **cache), tokenizer_class.from_pretrained(name, **cache)
        noise = torch.Generator().manual_seed(1)
        return model(**tokenizer("a hope", return_tensors="pt"), speaker_id="bea", generator=noise).waveform

    expected = waveform(tmp_path / "voice", VitsModel, VitsTokenizer)
    model.push_to_hub("org/voice")
    tokenizer.push_to_hub("org/voice")
    assert {"config.json", "model.safetensors", "vocab.json", "tokenizer_config.json"} <= set(Hub.files)
    assert torch.equal(waveform("org/voice", VitsModel, VitsTokenizer, cache_dir=tmp_path / "ours"), expected)
    assert torch.equal(waveform("org/voice", AutoModel, AutoTokenizer, cache_dir=tmp_path / "auto"), expected)


def test_a_repository_without_a_config_is_an_error_not_a_default_voice(online):
    Hub.files = {"README.md": b"nothing else"}
    with pytest.raises(OSError, match="org/voice.*config.json"):
        VitsModel.from_pretrained("org/voice")
