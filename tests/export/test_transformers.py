"""Voices that stock transformers speaks without this package."""

import pytest
import torch
import transformers

from hf_vits import VitsTokenizer
from hf_vits.export import Voice, export
from hf_vits.export.transformers import write
from hf_vits.modeling_vits import add_training_modules

IDS = torch.tensor([[0, 7, 0, 12, 0, 3, 0]])


def written(folder, model, tokenizer=None):
    tokenizer = tokenizer or VitsTokenizer.from_vocab({token: i for i, token in enumerate("_abcdefghijklmnop .'")})
    return list(write(Voice(model, tokenizer), folder))


def spoken(model, **speaker):
    model.config.noise_scale = model.config.noise_scale_duration = 0.0
    model.noise_scale = model.noise_scale_duration = 0.0
    with torch.no_grad():
        return model(IDS, **speaker).waveform


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("inference_only", [False, True])
@pytest.mark.parametrize("stochastic", [False, True])
def test_stock_speaks_the_same_waveform(inference_only, stochastic, make_model, speakers, tmp_path):
    model = make_model(inference_only=inference_only, use_stochastic_duration_prediction=stochastic, **speakers)

    notes = written(tmp_path, model)

    stock = transformers.VitsModel.from_pretrained(tmp_path).eval()
    theirs, ours = spoken(stock, speaker_id=2), spoken(model, speaker_id=2)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)
    assert ("use it for inference only" in " ".join(notes)) == inference_only


def test_a_voice_that_stock_cannot_build_is_refused_by_its_field(make_model, tmp_path):
    with pytest.raises(ValueError, match="has no resblock_type '2', window_size None"):
        written(tmp_path, make_model(resblock_type="2", window_size=None))
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_that_stock_would_not_follow_is_said(make_model, make_tokenizer, tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()

    plain = written(tmp_path / "a", make_model(), make_tokenizer())
    framed = written(tmp_path / "b", make_model(), make_tokenizer(bos_token="a", eos_token="b"))

    assert not any("other ids" in note for note in plain) and any("other ids" in note for note in framed)
    theirs = transformers.VitsTokenizer.from_pretrained(tmp_path / "a")("abc d")["input_ids"]
    assert theirs == make_tokenizer()("abc d")["input_ids"]


def test_the_voice_itself_is_left_as_it_was(make_model, tmp_path):
    model = make_model(inference_only=True)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    written(tmp_path, model)

    assert model.config.inference_only and model.state_dict().keys() == before.keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert add_training_modules(model)[1]


def test_a_voice_in_half_precision_is_written_in_single(make_model, tmp_path):
    written(tmp_path, make_model().half())

    stock = transformers.VitsModel.from_pretrained(tmp_path)
    assert {parameter.dtype for parameter in stock.parameters()} == {torch.float32}


def test_a_voice_that_stock_speaks_otherwise_is_not_kept(make_model, make_tokenizer, tmp_path, monkeypatch):
    spoken = transformers.VitsModel.forward

    def louder(self, *arguments, **options):
        out = spoken(self, *arguments, **options)
        out.waveform = out.waveform + 1e-3
        return out

    monkeypatch.setattr(transformers.VitsModel, "forward", louder)
    with pytest.raises(ValueError, match="The output of transformers differs by 1.0e-03"):
        export(make_model(), make_tokenizer(), tmp_path / "out", target="transformers")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("compatible", "noted"), [(False, False), (True, True)])
def test_a_pad_token_outside_the_vocabulary_is_replaced_or_reported(make_model, tmp_path, compatible, noted):
    tokens = {token: i for i, token in enumerate("_abcdefghijklmnop .'")}
    options = {"pad_token": "<pad>", "phonemize": False, "upstream_compatible": compatible}
    notes = written(tmp_path, make_model(), VitsTokenizer.from_vocab(tokens, **options))
    assert ("padded batch" in " ".join(notes)) == noted
    stock, tokenizer = (kind.from_pretrained(tmp_path) for kind in (transformers.VitsModel, transformers.VitsTokenizer))
    batch = tokenizer(["a dog", "deaf"], padding=True, return_tensors="pt")
    if noted:
        with pytest.raises(IndexError):
            stock(**batch)
    else:
        assert torch.isfinite(stock(**batch).waveform).all()
