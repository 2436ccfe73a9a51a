"""What is claimed of a voice holds where it is tried: stock transformers, and training's own loading."""

import pytest
import torch
import transformers
from provoked import ONE_SPEAKER, config, judges_inside
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from hf_vits import VitsModel
from hf_vits.doctor import examine
from hf_vits.training import ModelInitialization


def fault(name):
    return ONE_SPEAKER[name][0]


def stock_speaks(folder):
    """Whether stock transformers speaks what this package does."""
    try:
        model, info = transformers.VitsModel.from_pretrained(folder, output_loading_info=True)
    except Exception:
        return False
    ids = torch.arange(1, 12)[None]
    torch.manual_seed(3)
    theirs = model.eval()(ids).waveform
    ours = VitsModel.from_pretrained(folder)(ids, generator=torch.Generator().manual_seed(3)).waveform
    return theirs.shape == ours.shape and torch.allclose(theirs, ours, atol=1e-4)


STOCK = {
    "healthy": lambda voice: None,
    **{
        name: fault(name)
        for name in (
            *("weights.norm_old", "weights.norm_folded", "weights.norm_elsewhere"),
            *("config.stock_refuses", "config.extended_as_vits", "config.inference_only_as_vits"),
        )
    },
}


@pytest.mark.parametrize("provoke", STOCK.values(), ids=STOCK)
def test_the_rules_for_stock_transformers_say_what_it_does(voice, provoke):
    provoke(voice)
    said = examine(voice.path).verdict["speaks in stock transformers"]
    assert said.split(" ")[0] == ("yes" if stock_speaks(voice.path) else "no"), said


def test_a_type_that_stock_transformers_does_not_know_is_not_spoken_there(voice):
    assert "hf_vits" not in CONFIG_MAPPING_NAMES
    config(model_type="hf_vits")(voice)
    assert examine(voice.path).verdict["speaks in stock transformers"].startswith("no")


def test_a_tokenizer_of_this_package_makes_no_texts_there(voice):
    voice.change("tokenizer_config.json", tokenizer_class="HfVitsTokenizer")
    assert examine(voice.path).verdict["speaks in stock transformers"].startswith("ids yes, texts no")


TRAINED = {
    "yes, at once": lambda voice: voice.add_judges(),
    "yes, as it is": judges_inside,
    "yes, after new discriminators": lambda voice: None,
    "yes, after new parts that only training uses and discriminators": config(
        inference_only=True, model_type="hf_vits"
    ),
}


@pytest.mark.parametrize(("said", "provoke"), TRAINED.items(), ids=TRAINED)
def test_what_is_said_of_training_is_what_it_starts_from(voice, said, provoke):
    provoke(voice)
    assert examine(voice.path).verdict["can be trained"].startswith(said)
    start = ModelInitialization.load(str(voice.path))
    assert start.fresh_discriminator == ("discriminators" in said) and bool(start.fresh) == ("parts" in said)


def test_only_what_was_tried_is_called_so(voice):
    verdict = examine(voice.path).verdict
    assert "(tried: " in verdict["speaks here"]
    assert all("not tried" in verdict[use] for use in ("speaks in stock transformers", "can be trained"))
    (voice.path / "vocab.json").unlink()
    assert examine(voice.path).verdict["speaks here"].startswith("ids yes, texts no (tried: ")
    voice.rewrite(lambda tensors: {name: tensors[name] for name in tensors if name != "decoder.conv_pre.bias"})
    assert examine(voice.path).verdict["speaks here"].startswith("no (not tried, for 1 error)")


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("text_encoder.embed_tokens.weight", 1e38, "trial."),
        ("decoder.conv_post.weight", 0.0, "values.constant"),
    ],
)
def test_a_voice_that_loads_but_does_not_sound_is_found_out(voice, name, value, id):
    voice.rewrite(lambda table: table.update({name: table[name] * value}))
    report = examine(voice.path)
    assert any(found.id.startswith(id) and found.severity != "note" for found in report.findings), report.findings
