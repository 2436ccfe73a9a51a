"""A pipeline takes models and tokenizers, or their names."""

import pytest
import torch

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.conversion.pipeline_parts import resolve_model, resolve_tokenizer

IDS = torch.arange(1, 9)[None]


def test_a_model_is_taken_as_it_is_if_it_has_the_dtype(make_model):
    model = make_model()
    assert resolve_model(model) is resolve_model(model, "auto") is resolve_model(model, torch.float32) is model
    with pytest.raises(ValueError, match="`dtype` is bfloat16, and the decoder of the model that was given is float32"):
        resolve_model(model, torch.bfloat16)


def test_a_model_of_transformers_is_copied_and_sounds_the_same(make_model, make_upstream_model):
    model = make_model()
    copied = resolve_model(make_upstream_model(model))
    assert type(copied) is VitsModel and not copied.training
    silent = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    assert torch.equal(copied(IDS, **silent).waveform, model(IDS, **silent).waveform)


def test_a_folder_is_loaded_in_the_dtype_that_is_asked_for(saved_voice, tmp_path):
    folder = saved_voice(tmp_path / "voice")
    model = resolve_model(folder, torch.bfloat16)
    assert next(model.decoder.parameters()).dtype == torch.bfloat16
    assert isinstance(resolve_tokenizer(folder, model), VitsTokenizer)
    assert resolve_tokenizer(None, model)("a hope").input_ids == resolve_tokenizer(folder, model)("a hope").input_ids


def test_what_is_no_model_and_a_model_without_a_tokenizer_are_errors(make_model, make_tokenizer, tmp_path):
    with pytest.raises(TypeError, match="`model` is int; give a `VitsModel`"):
        resolve_model(3)
    model, tokenizer = make_model(), make_tokenizer()
    assert resolve_tokenizer(tokenizer, model) is tokenizer
    with pytest.raises(ValueError, match="was not loaded from a folder that could have one"):
        resolve_tokenizer(None, model)
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"There is no tokenizer in {tmp_path}"):
        resolve_tokenizer(None, VitsModel.from_pretrained(tmp_path))
