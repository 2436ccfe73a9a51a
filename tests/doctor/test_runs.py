"""Folders of training runs: finetune-hf-vits writes one configuration beside the folders of all checkpoints."""

import shlex
import shutil

import pytest
from faults import discriminator_inside, normed, pickled

from hf_vits.cli import main
from hf_vits.doctor import examine


@pytest.fixture
def run(voice):
    """A run with two checkpoints, as Accelerate leaves them: `voice` becomes the second."""
    folder = voice.path.parent / "run"
    folder.mkdir()
    for name in ("config.json", "vocab.json", "tokenizer_config.json", "README.md"):
        (voice.path / name).rename(folder / name)
    shutil.copytree(voice.path, folder / "checkpoint-50")
    voice.path = voice.path.rename(folder / "checkpoint-1000")
    return folder


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (normed("decoder.upsampler.0"), "weights.norm_outside_wavenet"),
        (pickled, "files.pickle"),
        (discriminator_inside, "discriminator.in_model_file"),
    ],
)
def test_a_checkpoint_without_a_configuration_is_converted_with_that_of_its_run(run, voice, damage, fault):
    damage(voice)
    found = {found.id: found for found in examine(voice.path).diagnostics}
    assert found["config.missing"].severity == "error" and str(run / "config.json") in found["config.missing"].advice
    assert found[fault].fix is None and found[fault].command == found["config.missing"].command

    words = shlex.split(found["config.missing"].command)
    assert words[0] == "hf-vits" and main(words[1:]) == 0

    report = examine(words[-1])
    assert not [found for found in report.diagnostics if found.severity != "note"], report.diagnostics
    assert report.uses["synthesis"].startswith("yes")


def test_without_a_configuration_anywhere_no_command_is_given(run, voice):
    normed("decoder.upsampler.0")(voice)
    (run / "config.json").unlink()
    found = {found.id: found.command for found in examine(voice.path).diagnostics}
    assert found["config.missing"] is None and found["weights.norm_outside_wavenet"] is None


def test_the_folder_of_a_run_leads_to_its_newest_checkpoint(run, voice):
    (run / "checkpoint-2000").mkdir()  # killed before it had weights
    shutil.copytree(voice.path, run / "checkpoint-1000-fixed")
    (found,) = examine(run).diagnostics
    assert found.id == "path.training_run" and found.command == f"hf-vits doctor {voice.path}"
    assert found.message.endswith("checkpoint-50, checkpoint-1000.")


def test_a_run_with_weights_of_its_own_is_examined(run, voice):
    shutil.copy(voice.path / "model.safetensors", run)
    assert examine(run).uses["synthesis"].startswith("yes")
