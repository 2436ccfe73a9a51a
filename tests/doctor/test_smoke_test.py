"""The reported uses are those that transformers and training support when they are tried."""

import pytest
import torch
import transformers
from faults import ONE_SPEAKER, config, discriminator_inside
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from hf_vits import VitsModel
from hf_vits.doctor import examine
from hf_vits.training import ModelInitialization


def fault(name):
    return ONE_SPEAKER[name][0]


def works_in_transformers(folder):
    """Return whether transformers generates the same waveform as this package."""
    try:
        model, info = transformers.VitsModel.from_pretrained(folder, output_loading_info=True)
    except Exception:
        return False
    ids = torch.arange(1, 12)[None]
    torch.manual_seed(3)
    theirs = model.eval()(ids).waveform
    ours = VitsModel.from_pretrained(folder)(ids, generator=torch.Generator().manual_seed(3)).waveform
    return theirs.shape == ours.shape and torch.allclose(theirs, ours, atol=1e-4)


FAULTS = {
    "healthy": lambda voice: None,
    **{
        name: fault(name)
        for name in (
            *("weights.norm_old_format", "weights.norm_folded", "weights.norm_outside_wavenet"),
            *("config.rejected_by_transformers", "config.extended_as_vits", "config.inference_only_as_vits"),
        )
    },
}


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("damage", FAULTS.values(), ids=FAULTS)
def test_the_report_says_whether_transformers_generates_the_same(voice, damage):
    damage(voice)
    answer = examine(voice.path).uses["synthesis in transformers"]
    assert answer.split(" ")[0] == ("yes" if works_in_transformers(voice.path) else "no"), answer


def test_a_model_type_that_transformers_does_not_know_does_not_work_there(voice):
    assert "hf_vits" not in CONFIG_MAPPING_NAMES
    config(model_type="hf_vits")(voice)
    assert examine(voice.path).uses["synthesis in transformers"].startswith("no")


def test_a_tokenizer_of_this_package_reads_no_text_there(voice):
    voice.change("tokenizer_config.json", tokenizer_class="HfVitsTokenizer")
    assert examine(voice.path).uses["synthesis in transformers"].startswith("from ids only")


TRAINING = {
    "yes, at once": lambda voice: voice.add_discriminator(),
    "yes, as it is": discriminator_inside,
    "yes, with newly initialized discriminators": lambda voice: None,
    "yes, with newly initialized modules for training and discriminators": config(
        inference_only=True, model_type="hf_vits"
    ),
}


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("answer", "damage"), TRAINING.items(), ids=TRAINING)
def test_training_starts_from_what_the_report_says(voice, answer, damage):
    damage(voice)
    assert examine(voice.path).uses["training"].startswith(answer)
    start = ModelInitialization.from_pretrained(str(voice.path))
    assert start.new_discriminator == ("discriminators" in answer)
    assert bool(start.new_parameters) == ("modules" in answer)


def test_only_what_was_tested_is_called_tested(voice):
    uses = examine(voice.path).uses
    assert "(tested: " in uses["synthesis"]
    assert all("not tested" in uses[use] for use in ("synthesis in transformers", "training"))
    (voice.path / "vocab.json").unlink()
    assert examine(voice.path).uses["synthesis"].startswith("from ids only, not from text (tested: ")
    voice.rewrite(lambda tensors: {name: tensors[name] for name in tensors if name != "decoder.conv_pre.bias"})
    assert examine(voice.path).uses["synthesis"].startswith("no (not tested: 1 error)")


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("text_encoder.embed_tokens.weight", 1e38, "smoke_test."),
        ("decoder.conv_post.weight", 0.0, "values.constant"),
    ],
)
def test_a_model_that_loads_but_has_no_usable_output_is_reported(voice, name, value, id):
    voice.rewrite(lambda table: table.update({name: table[name] * value}))
    report = examine(voice.path)
    assert any(found.id.startswith(id) and found.severity != "note" for found in report.diagnostics), report.diagnostics
