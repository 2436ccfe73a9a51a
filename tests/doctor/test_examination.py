"""Each fault gets exactly its own diagnostic, whose fix, where there is one, leaves the model healthy."""

import json
import shlex
import shutil
import subprocess

import pytest
import torch
from faults import COMMAND, FIX, NAMED, ONE_SPEAKER, THREE_SPEAKERS, tokenizer, tokens
from tiny_voices import enliven

from hf_vits import VitsConfig, VitsModel, VitsTokenizer
from hf_vits.cli import main
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.doctor import Report, examine
from hf_vits.training.checkpoints import save_checkpoint, save_model_folder

INPUT = "posterior_encoder.conv_pre.weight"

ALSO = {
    "smoke_test.silent": {"values.constant"},
    "smoke_test.model": {"config.rejected_by_transformers"},
    "weights.norm_incomplete": {"weights.missing"},  # without g, the layer has no weight
}
"""Diagnostics that a fault cannot be without."""


def serious(report: Report) -> set[str]:
    return {found.id for found in report.diagnostics if found.severity != "note"}


def check(voice, fault, damage, severity, removal, capsys):
    expected = fault.split(",")[0]
    damage(voice)
    report = examine(voice.path)
    diagnostics = {found.id: found for found in report.diagnostics}
    assert expected in diagnostics, diagnostics
    found = diagnostics[expected]
    assert found.severity == severity and (found.advice or severity == "note")
    assert serious(report) - {expected} <= ALSO.get(expected, set()), report.diagnostics
    assert report.exit_code() == (severity == "error") and report.exit_code(strict=True) == (severity != "note")
    assert (found.fix is not None) == (removal in (FIX, NAMED)) and bool(found.command) == (removal == COMMAND)
    if removal is None:
        return
    named = []
    if removal == COMMAND:
        subprocess.run(shlex.split(found.command), check=True)
    else:
        assert found.fix.automatic == (removal == FIX)
        named = ["--fix"] if removal == FIX else ["--fix", "--only", expected]
    code = main(["doctor", str(voice.path), *named, "--strict", "--json"])
    output = json.loads(capsys.readouterr().out)
    assert code == 0 and output["uses"]["synthesis"].startswith("yes"), output
    assert {found["severity"] for found in output["diagnostics"]} <= {"note"}
    assert expected not in [found["id"] for found in output["diagnostics"]]
    applied = [(result["ids"], result["status"]) for result in output.get("fixes", [])]
    assert applied == [([expected], "applied")] * bool(named)


@pytest.mark.parametrize("damage", ["config.missing", "config.damaged"])
def test_a_folder_without_a_readable_configuration_is_examined_in_one_round(voice, damage):
    """Everything that neither weights nor tokenizer need it for is reported with it."""
    others = ["weights.unexpected", "values.zero_filter", "tokenizer.id_out_of_range"]
    others += ["tokenizer.invalid_option", "signal.feature_extractor_damaged", "discriminator.unreadable"]
    others += ["license.unknown", "files.training_state"]
    for fault in (*others, damage):
        ONE_SPEAKER[fault][0](voice)
    found = {diagnostic.id for diagnostic in examine(voice.path).diagnostics}
    assert found >= {*others, damage}


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("fault", "case"), ONE_SPEAKER.items(), ids=ONE_SPEAKER)
def test_a_fault_gets_exactly_its_diagnostic_and_the_fix_removes_it(voice, fault, case, capsys):
    check(voice, fault, *case, capsys)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("fault", "case"), THREE_SPEAKERS.items(), ids=THREE_SPEAKERS)
def test_a_fault_of_several_speakers_gets_exactly_its_diagnostic(speakers_voice, fault, case, capsys):
    check(speakers_voice, fault, *case, capsys)


def test_a_healthy_model_has_notes_at_most(healthy, healthy_speakers):
    for folder in (healthy, healthy_speakers):
        report = examine(folder)
        assert [found.id for found in report.diagnostics] == ["signal.layerdrop"]
        assert report.exit_code(strict=True) == 0


def test_faults_do_not_hide_each_other(voice):
    alone = [
        "values.not_finite",
        "config.misspelled_field",
        "tokenizer.id_out_of_range",
        "signal.feature_extractor_mismatch",
        "license.base_model",
    ]
    for fault in alone:
        ONE_SPEAKER[fault][0](voice)
    voice.add_discriminator()
    ONE_SPEAKER["discriminator.not_finite"][0](voice)
    assert serious(examine(voice.path)) == {*alone, "discriminator.not_finite"}


def test_an_fft_as_long_as_the_hop_is_no_fault(voice):
    voice.change("config.json", spectrogram_bins=5)
    voice.rewrite(lambda table: table.update({INPUT: table[INPUT][:, :5]}))
    config = VitsConfig.from_pretrained(voice.path)
    assert config.fft_size == config.hop_length and not serious(examine(voice.path))


def test_a_configuration_of_endless_layers_is_not_built(voice):
    voice.change("config.json", posterior_encoder_num_wavenet_layers=2**30)
    assert serious(examine(voice.path)) == {"config.contradicts_weights"}
    (voice.path / "model.safetensors").unlink()
    assert serious(examine(voice.path)) == {"config.too_large", "files.no_weights"}


def test_a_layer_with_a_huge_receptive_field_is_not_run(voice):
    def deeper(table):
        table |= {name.replace("in_layers.0", "in_layers.1"): tensor.clone() for name, tensor in table.items()}
        table |= {name.replace("res_skip_layers.0", "res_skip_layers.1"): t.clone() for name, t in table.items()}
        return {
            name: torch.cat([tensor, tensor]) if ".res_skip_layers.0." in name and "posterior" not in name else tensor
            for name, tensor in table.items()
            if "posterior" not in name or "s.1." not in name
        }

    voice.rewrite(deeper)
    voice.change("config.json", prior_encoder_num_wavenet_layers=2)
    assert not serious(examine(voice.path))
    voice.change("config.json", wavenet_dilation_rate=2**30)
    assert serious(examine(voice.path)) == {"config.too_large"}


def test_a_training_checkpoint_can_be_trained_further(healthy, tmp_path):
    model, tokenizer = VitsModel.from_pretrained(healthy), VitsTokenizer.from_pretrained(healthy)
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(period_channels=[4, 4], scale_channels=[4] * 6))
    folder = save_checkpoint(
        tmp_path, 3, 1, lambda new: save_model_folder(new, model, tokenizer, discriminator), {"step": 3}
    )
    report = examine(folder)
    assert not serious(report) and "files.checkpoint" in {found.id for found in report.diagnostics}
    assert report.uses["training"].startswith("yes, at once")


def test_the_vocabulary_of_the_original_is_explained(voice):
    """177 tokens for 178 embeddings, with one id that no token has."""

    def original(table):
        characters = [chr(0x250 + number) for number in range(178)]
        table.clear()
        table.update({character: index for index, character in enumerate(characters) if index != 174})

    tokens(original)(voice)
    voice.change("config.json", vocab_size=178)
    voice.rewrite(lambda table: table.update({"text_encoder.embed_tokens.weight": torch.randn(178, 16)}))
    found = {found.id: found for found in examine(voice.path).diagnostics}
    assert "178" in found["tokenizer.original_vocabulary"].message and "tokenizer.unused_embeddings" not in found


def test_phonemes_need_a_language_that_espeak_has(voice):
    tokenizer(phonemize=True, language="deu", unk_token="_")(voice)
    assert serious(examine(voice.path)) == {"tokenizer.transformers_phonemes"}
    tokenizer(phonemize=True, phoneme_language="zz-nowhere", tokenizer_class="HfVitsTokenizer")(voice)
    assert serious(examine(voice.path)) == {"tokenizer.phoneme_language"}


def test_missing_packages_are_named(voice, monkeypatch):
    tokenizer(is_uroman=True)(voice)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert serious(examine(voice.path)) == {"tokenizer.no_uroman"}
    tokenizer(phonemize=True, upstream_compatible=True, unk_token="_")(voice)
    assert serious(examine(voice.path)) == {"tokenizer.no_phonemizer"}
    monkeypatch.undo()
    tokenizer(phonemize=True, upstream_compatible=False, is_uroman=False, unk_token="_")(voice)

    def absent(*_):
        raise ImportError("espeak-ng")

    monkeypatch.setattr("hf_vits.text.espeak.clauses", absent)
    found = {found.id: found for found in examine(voice.path).diagnostics}
    assert "phonemes" in found["tokenizer.no_espeak"].command


def test_a_model_of_several_languages_is_healthy(voice, tmp_path):
    fields = {"num_languages": 2, "language_embedding_size": 4, "language_names": ["en", "cs"]}
    enliven(VitsModel(VitsConfig(**{**voice.table("config.json"), "model_type": "vits", **fields}))).save_pretrained(
        tmp_path / "several"
    )
    for name in ("vocab.json", "tokenizer_config.json", "README.md"):
        shutil.copy(voice.path / name, tmp_path / "several")

    report = examine(tmp_path / "several")

    assert not serious(report), report.diagnostics
    assert report.uses["synthesis"].startswith("yes")
    assert report.uses["training"].startswith("no")
