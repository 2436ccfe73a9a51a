"""Paths that are no model folders: what they are, and which command helps."""

import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import torch
from faults import discriminator_inside, normed, pickled

from hf_vits.cli import main
from hf_vits.conversion import convert, known_formats
from hf_vits.doctor import examine


def only(path):
    (found,) = examine(path).diagnostics
    assert found.severity == "error"
    return found


@pytest.mark.parametrize("name", ["voice.onnx", "G_100.pth", "last.ckpt", "model.pt"])
def test_a_file_of_another_project_is_converted_first(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    found = only(tmp_path / name)
    assert found.id == "path.other_format_file" and found.command.startswith(f"hf-vits convert {tmp_path / name} ")
    assert all(known in found.advice for known in known_formats())


def test_discriminators_of_the_original_are_converted_with_their_model(tmp_path):
    torch.save({}, tmp_path / "D_100.pth")
    found = only(tmp_path / "D_100.pth")
    assert found.id == "path.discriminator_file" and "G_100.pth" in found.advice and "--discriminator" in found.advice


def test_an_archive_is_unpacked_first(tmp_path):
    (tmp_path / "voice.tar").write_bytes(b"anything")
    found = only(tmp_path / "voice.tar")
    assert "unpack" in found.message and found.command is None


@pytest.mark.parametrize(
    "files",
    [
        {"voice.onnx": "", "voice.onnx.json": "{}"},
        {"config.json": json.dumps({"train": {}, "data": {}, "model": {}}), "G_0.pth": "", "D_0.pth": ""},
        {"config.json": json.dumps({"model_args": {}, "audio": {}}), "best_model.pth": ""},
    ],
    ids=["piper", "original", "coqui"],
)
def test_a_folder_of_another_project_is_converted_first(tmp_path, files):
    (tmp_path / "there").mkdir()
    for name, content in files.items():
        (tmp_path / "there" / name).write_text(content)
    found = only(tmp_path / "there")
    assert found.id == "path.other_format_folder" and f"hf-vits convert {tmp_path / 'there'}" in found.command


@pytest.mark.parametrize(
    ("files", "runtime"),
    [(("model.onnx", "tokens.txt"), "sherpa-onnx"), (("text-to-latents.onnx", "decode-window.onnx"), "onnxruntime")],
)
def test_a_folder_exported_for_a_runtime_is_recognized_and_not_converted(tmp_path, files, runtime):
    for name in files:
        (tmp_path / name).write_bytes(b"anything")
    for path in (tmp_path, *tmp_path.glob("*.onnx")):
        found = only(path)
        assert found.id == "path.exported" and runtime in found.message and found.command is None
        with pytest.raises(ValueError, match=f"exported for .*{runtime}; convert the voice that it was exported from"):
            convert(path)


def test_a_piper_voice_beside_the_tokens_of_sherpa_is_converted(tmp_path):
    for name in ("model.onnx", "model.onnx.json", "tokens.txt"):
        (tmp_path / name).write_bytes(b"{}")
    assert (
        only(tmp_path).id == "path.other_format_folder" and only(tmp_path / "model.onnx").id == "path.other_format_file"
    )


def test_the_command_converts_a_piper_voice(tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    sys.path.append(str(Path(__file__).parents[1] / "conversion"))
    from piper_files import tiny_model, write_voice

    file = write_voice(tmp_path, tiny_model(), "named")
    words = shlex.split(only(file).command)
    assert words[0] == "hf-vits" and main(words[1:]) == 0
    assert not [found for found in examine(words[-1]).diagnostics if found.severity == "error"]


def test_one_file_of_a_voice_leads_to_its_folder(voice):
    found = only(voice.path / "model.safetensors")
    assert found.id == "path.file" and found.command == f"hf-vits doctor {voice.path}"


def test_a_name_of_the_hub_is_fetched_first():
    assert only("facebook/mms-tts-eng").command == "hf download facebook/mms-tts-eng --local-dir mms-tts-eng"
    assert only("no where").command is None


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
