"""A pipeline is made from a model, a folder or a name, and finds the tokenizer by itself."""

import numpy as np
import pytest
import torch
import transformers

from hf_vits import TextToSpeechPipeline, VitsModel, VitsTokenizer
from hf_vits.conversion import resolve


@pytest.fixture
def voice(make_model, make_tokenizer, tmp_path):
    """One that transformers takes for its own."""
    make_model().save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    return tmp_path / "voice"


def said(pipe):
    return pipe("a hope", speaking_rate=0.8, generator=torch.Generator().manual_seed(3))["audio"]


WAYS = {
    "folder": lambda folder: TextToSpeechPipeline(folder),
    "folder by name": lambda folder: TextToSpeechPipeline(model=str(folder)),
    "model": lambda folder: TextToSpeechPipeline(VitsModel.from_pretrained(folder)),
    "model and name of the tokenizer": lambda folder: TextToSpeechPipeline(
        VitsModel.from_pretrained(folder), tokenizer=str(folder)
    ),
    "transformers.pipeline with a folder": lambda folder: transformers.pipeline(
        "text-to-speech", model=str(folder), pipeline_class=TextToSpeechPipeline, device="cpu"
    ),
    "transformers.pipeline with a model": lambda folder: transformers.pipeline(
        "text-to-speech",
        model=VitsModel.from_pretrained(folder),
        pipeline_class=TextToSpeechPipeline,
        device="cpu",
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_pipeline_is_made_of_what_one_has(voice, way):
    pipe = way(voice)
    assert isinstance(pipe.model, VitsModel) and isinstance(pipe.tokenizer, VitsTokenizer)
    expected = TextToSpeechPipeline(VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice))
    np.testing.assert_array_equal(said(pipe), said(expected))


def test_the_pipeline_of_transformers_speaks_an_extended_voice_of_a_folder(make_model, make_tokenizer, tmp_path):
    make_model(resblock_type="2").save_pretrained(tmp_path)
    make_tokenizer(blank_token=" ").save_pretrained(tmp_path)  # which that of transformers does not know
    stock = transformers.pipeline("text-to-speech", model=str(tmp_path), device="cpu")
    pipe = TextToSpeechPipeline(tmp_path)
    torch.manual_seed(3)
    heard = stock("a hope")["audio"]
    torch.manual_seed(3)
    expected = pipe.model(**pipe.tokenizer("a hope", return_tensors="pt")).waveform[0]
    np.testing.assert_allclose(heard.squeeze(), expected.detach().numpy(), rtol=0, atol=1e-5)


def test_a_model_of_transformers_lends_its_weights(make_model, make_stock_model, make_tokenizer):
    model = make_model()
    pipe = TextToSpeechPipeline(make_stock_model(model), make_tokenizer())
    assert isinstance(pipe.model, VitsModel)
    np.testing.assert_array_equal(said(pipe), said(TextToSpeechPipeline(model, make_tokenizer())))


def test_the_default_voice_is_known_by_name(voice, monkeypatch):
    monkeypatch.setattr(resolve, "cached_voice", lambda known: voice)
    assert TextToSpeechPipeline("default").model.name_or_path == str(voice)


def test_what_is_no_voice_is_refused_with_what_to_give(make_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="did you mean `default`"):
        TextToSpeechPipeline("defualt")
    with pytest.raises(TypeError, match="`model` is Linear; give a `VitsModel`, or the folder"):
        TextToSpeechPipeline(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="was not loaded from a folder.*pass `tokenizer="):
        TextToSpeechPipeline(make_model())
    make_model().save_pretrained(tmp_path / "alone")
    with pytest.raises(ValueError, match="There is no tokenizer in .*alone.*pass `tokenizer="):
        TextToSpeechPipeline(VitsModel.from_pretrained(tmp_path / "alone"))
