"""Fixes change JSON files in place and weights in a copy, whole or not at all, and only those that are asked for."""

import json
import shutil

import pytest
import torch
from faults import ONE_SPEAKER, config, normed
from safetensors.torch import load_file

from hf_vits import VitsModel
from hf_vits.cli import main
from hf_vits.doctor import apply_fixes, examine


def damage(voice, *faults):
    for fault in faults:
        ONE_SPEAKER[fault][0](voice)


def content(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def waveform(folder):
    ids = torch.arange(1, 12)[None]
    return VitsModel.from_pretrained(folder)(ids, noise_scale=0.0, noise_scale_duration=0.0).waveform


def test_the_copy_has_the_same_waveform_and_the_format_of_transformers(voice):
    before = waveform(voice.path)
    damage(voice, "weights.norm_old_format, mixed")
    original = content(voice.path)
    (result,) = apply_fixes(examine(voice.path))
    assert result.folder == voice.path.with_name("voice-fixed") and content(voice.path) == original
    assert torch.equal(before, waveform(result.folder))
    tensors = load_file(result.folder / "model.safetensors")
    assert not [name for name in tensors if name.endswith(("weight_g", "weight_v"))]
    assert content(result.folder).keys() == original.keys()


def test_the_copy_keeps_the_name_of_the_base_model_whose_license_applies(voice):
    damage(voice, "license.base_model, by name", "weights.norm_old_format")
    (result,) = apply_fixes(examine(voice.path))
    assert "license.base_model" in {found.id for found in examine(result.folder).diagnostics}


def test_several_faults_are_fixed_at_once_in_the_json_files_and_one_copy(voice):
    damage(voice, "config.misspelled_field", "tokenizer.blank_id", "weights.norm_old_format", "weights.mixed_types")
    damage(voice, "discriminator.in_model_file")
    results = apply_fixes(examine(voice.path))
    assert [result.status for result in results] == ["applied"] * 3
    assert {*results[-1].ids} == {"weights.norm_old_format", "weights.mixed_types", "discriminator.in_model_file"}
    report = examine(results[-1].folder)
    assert {found.severity for found in report.diagnostics} == {"note"}, report.diagnostics
    assert report.uses["training"].startswith("yes, at once")
    assert {tensor.dtype for tensor in load_file(results[-1].folder / "model.safetensors").values()} == {torch.float32}


def test_a_model_saved_in_bfloat16_becomes_float32_only_if_asked_for(voice):
    VitsModel.from_pretrained(voice.path).bfloat16().save_pretrained(voice.path)
    report = examine(voice.path)
    assert apply_fixes(report) == []
    (result,) = apply_fixes(report, ["weights.not_float32"])
    assert {tensor.dtype for tensor in load_file(result.folder / "model.safetensors").values()} == {torch.float32}
    assert VitsModel.from_pretrained(result.folder).dtype == torch.float32


@pytest.mark.parametrize("first", [torch.float32, torch.bfloat16], ids=["as it was", "saved whole in half precision"])
def test_a_voice_whose_decoder_was_saved_in_half_precision_has_no_fault(voice, first):
    VitsModel.from_pretrained(voice.path).to(first).save_pretrained(voice.path)
    VitsModel.from_pretrained(voice.path, dtype=torch.bfloat16).save_pretrained(voice.path)
    assert len({tensor.dtype for tensor in load_file(voice.path / "model.safetensors").values()}) == 2
    assert {found.severity for found in examine(voice.path).diagnostics} <= {"note"}


def test_a_dry_run_prints_the_fixes_and_changes_nothing(voice, capsys):
    damage(voice, "config.contradicts_weights", "weights.norm_folded")
    before = content(voice.path.parent)
    assert main(["doctor", str(voice.path), "--fix", "--dry-run"]) == 1
    printed = capsys.readouterr().out
    assert "planned: config.contradicts_weights: In config.json, set `vocab_size` to 20." in printed
    assert "planned: weights.norm_folded: " in printed and "-fixed" in printed
    assert content(voice.path.parent) == before
    assert main(["doctor", str(voice.path), "--fix"]) == 0


def test_only_the_named_fix_is_applied(voice, capsys):
    damage(voice, "config.contradicts_weights", "config.misspelled_field")
    assert main(["doctor", str(voice.path), "--fix", "--only", "config.misspelled_field"]) == 1
    ids = {found.id for found in examine(voice.path).diagnostics}
    assert "config.misspelled_field" not in ids and "config.contradicts_weights" in ids
    assert main(["doctor", str(voice.path), "--fix", "--only", "weights.missing"]) == 1
    assert "no fix for weights.missing" in capsys.readouterr().err
    assert main(["doctor", str(voice.path), "--only", "config.contradicts_weights"]) == 1
    assert "need `--fix`" in capsys.readouterr().err


def test_a_healthy_folder_is_left_as_it_is(voice, capsys):
    before = content(voice.path.parent)
    assert main(["doctor", str(voice.path), "--fix", "--strict"]) == 0
    assert content(voice.path.parent) == before and "no fix applies" in capsys.readouterr().out


def test_a_fix_that_fails_leaves_nothing_behind_and_says_why(voice, capsys):
    normed("decoder.upsampler.0")(voice)
    voice.rewrite(lambda table: table.pop("decoder.conv_pre.weight") is None)
    before = content(voice.path.parent)
    assert main(["doctor", str(voice.path), "--fix"]) == 1
    printed = capsys.readouterr().out
    assert (
        "failed: weights.norm_outside_wavenet: " in printed and "conv_pre" in printed and "weights.missing" in printed
    )
    assert content(voice.path.parent) == before and [entry.name for entry in voice.path.parent.iterdir()] == ["voice"]


def test_a_copy_that_exists_already_is_not_replaced(voice, capsys):
    damage(voice, "weights.norm_old_format")
    voice.path.with_name("voice-fixed").mkdir()
    assert main(["doctor", str(voice.path), "--fix"]) == 1
    assert "exists already; rename or remove it" in capsys.readouterr().out
    assert not any(voice.path.with_name("voice-fixed").iterdir())


def test_an_edit_that_is_interrupted_leaves_the_file_as_it_was(voice, monkeypatch):
    damage(voice, "config.contradicts_weights")
    before = content(voice.path.parent)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    (result,) = apply_fixes(examine(voice.path))
    assert result.status == "failed" and "space" in result.reason and content(voice.path.parent) == before


def test_a_file_in_the_cache_behind_a_link_is_not_changed(voice, tmp_path):
    config(vocab_size=30)(voice)
    blob = shutil.move(voice.path / "config.json", tmp_path / "blob")
    (voice.path / "config.json").symlink_to(blob)
    (result,) = apply_fixes(examine(voice.path))
    assert result.status == "applied" and json.loads(blob.read_text())["vocab_size"] == 30
    assert voice.table("config.json")["vocab_size"] == 20 and not (voice.path / "config.json").is_symlink()


def test_the_copy_of_the_current_folder_lies_beside_it(voice, monkeypatch):
    damage(voice, "weights.norm_old_format")
    monkeypatch.chdir(voice.path)
    (result,) = apply_fixes(examine("."))
    assert result.folder == voice.path.with_name("voice-fixed")
    assert {found.severity for found in examine("../voice-fixed").diagnostics} == {"note"}


def test_the_copy_follows_no_link_out_of_the_folder(voice, tmp_path):
    damage(voice, "weights.norm_old_format")
    (tmp_path / "secret").write_text("of another folder")
    (voice.path / "secret").symlink_to(tmp_path / "secret")
    (voice.path / "endless").symlink_to(".")
    (voice.path / "CARD.md").symlink_to("README.md")
    (result,) = apply_fixes(examine(voice.path))
    names = {entry.name for entry in result.folder.iterdir()}
    assert result.status == "applied" and "CARD.md" in names and not {"secret", "endless"} & names


def test_discriminators_beside_a_model_are_saved_where_training_looks(voice):
    voice.add_discriminator()
    (voice.path / "discriminator" / "model.safetensors").rename(voice.path / "model_1.safetensors")
    shutil.rmtree(voice.path / "discriminator")
    report = examine(voice.path)
    found = {found.id: found for found in report.diagnostics}
    assert found["discriminator.beside_model"].severity == "note"
    assert "discriminator_name_or_path" in report.uses["training"]
    assert [result.status for result in apply_fixes(report, ["discriminator.beside_model"])] == ["applied"]
    (voice.path / "model_1.safetensors").unlink()
    assert examine(voice.path).uses["training"].startswith("yes, at once")


@pytest.mark.parametrize(("names", "automatic"), [(["ada", "bea"], True), (["ada", "bea", "cem", "dea"], False)])
def test_names_of_speakers_are_cut_off_only_if_asked_for(speakers_voice, names, automatic):
    speakers_voice.change("config.json", speaker_names=names)
    (found,) = [found for found in examine(speakers_voice.path).diagnostics if found.id == "speakers.names_count"]
    assert found.fix.automatic == automatic


def test_a_configuration_is_changed_only_if_all_tensors_fit_it_then(voice):
    damage(voice, "config.contradicts_weights", "weights.missing")
    (found,) = [found for found in examine(voice.path).diagnostics if found.id == "config.contradicts_weights"]
    assert not found.fix.automatic


def test_a_model_type_is_changed_only_if_the_weights_are_those_of_vits(voice):
    damage(voice, "config.model_type", "weights.missing")
    (found,) = [found for found in examine(voice.path).diagnostics if found.id == "config.model_type"]
    assert not found.fix.automatic
