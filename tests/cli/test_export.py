"""`hf-vits export` writes the files of another runtime and says how near they are to PyTorch."""

import pytest

from hf_vits.cli import main


@pytest.fixture
def voice(saved_voice, tmp_path):
    saved_voice(tmp_path / "voice")
    return str(tmp_path / "voice")


@pytest.mark.thorough
def test_export_writes_a_voice_and_says_how_near_to_pytorch_it_is(voice, tmp_path, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    arguments = ["export", voice, "--target", "piper", str(tmp_path / "out"), "--precision", "float16"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "6 texts against PyTorch" in printed and "voice.onnx: " in printed
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["README.md", "voice.onnx", "voice.onnx.json"]
    assert main(arguments) == 1 and "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--name", "ada"]) == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["README.md", "ada.onnx", "ada.onnx.json"]


def test_export_of_what_is_no_voice_is_one_line_and_no_folder(tmp_path, capsys):
    assert main(["export", "nowhere/at/all", str(tmp_path / "out"), "--target", "piper"]) == 1
    errors = capsys.readouterr().err
    assert "nowhere/at/all" in errors and len(errors.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
