"""Folders of training runs: finetune-hf-vits writes one configuration for all checkpoints, beside their folders."""

import shlex
import shutil

import pytest
from provoked import judges_inside, normed, pickled

from hf_vits import VitsModel
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
    ("change", "finding"),
    [
        (normed("decoder.upsampler.0"), "weights.norm_elsewhere"),
        (pickled, "files.pickle"),
        (judges_inside, "judges.inside"),
    ],
)
def test_a_checkpoint_without_a_configuration_is_converted_with_that_of_its_run(run, voice, change, finding):
    change(voice)
    found = {finding.id: finding for finding in examine(voice.path).findings}
    assert found["config.missing"].severity == "error" and str(run / "config.json") in found["config.missing"].mend
    assert found[finding].command == found["config.missing"].command

    words = shlex.split(found["config.missing"].command)
    assert words[0] == "hf-vits" and main(words[1:]) == 0

    report = examine(words[-1])
    assert not [found for found in report.findings if found.severity != "note"], report.findings
    assert report.verdict["speaks here"].startswith("yes")


def test_without_a_configuration_anywhere_no_command_is_given(run, voice):
    normed("decoder.upsampler.0")(voice)
    (run / "config.json").unlink()
    found = {finding.id: finding.command for finding in examine(voice.path).findings}
    assert found["config.missing"] is None and found["weights.norm_elsewhere"] is None


def test_the_folder_of_a_run_leads_to_its_newest_checkpoint(run, voice):
    (run / "checkpoint-2000").mkdir()  # killed before it had weights
    shutil.copytree(voice.path, run / "checkpoint-1000-mended")
    (found,) = examine(run).findings
    assert found.id == "path.run" and found.command == f"hf-vits doctor {voice.path}"
    assert found.text.endswith("checkpoint-50, checkpoint-1000.")


def test_a_run_that_has_a_voice_of_its_own_is_examined(run, voice):
    shutil.copy(voice.path / "model.safetensors", run)
    assert examine(run).verdict["speaks here"].startswith("yes")


def test_a_command_that_fails_leaves_nothing_behind(voice):
    normed("decoder.upsampler.0")(voice)
    voice.rewrite(lambda table: table.pop("decoder.conv_pre.weight") is None)
    command = next(found.command for found in examine(voice.path).findings if found.id == "weights.norm_elsewhere")
    with pytest.raises(ValueError, match="conv_pre"):
        VitsModel.from_pretrained(voice.path)
    with pytest.raises(ValueError, match="conv_pre"):
        exec(shlex.split(command)[2], {})
    assert [entry.name for entry in voice.path.parent.iterdir()] == ["voice"]
