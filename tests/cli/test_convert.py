"""`hf-vits convert`: what it refuses before any work, and what it prints after."""

import io
import json

import pytest

import hf_vits.conversion
from hf_vits import VitsModel
from hf_vits.cli import main


@pytest.fixture
def source(saved_voice, tmp_path):
    """A folder with a file whose name is in the notes and that few encodings have."""
    saved_voice(tmp_path / "source")
    (tmp_path / "source" / "заметки.txt").touch()
    return str(tmp_path / "source")


@pytest.fixture
def unread(monkeypatch):
    """Fails if any source is read."""

    def read(*arguments):
        raise AssertionError("read before it was refused")

    monkeypatch.setattr(hf_vits.conversion, "convert", read)


def test_a_note_that_the_terminal_cannot_show_loses_neither_the_voice_nor_the_others(source, tmp_path, monkeypatch):
    printed = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(printed, encoding="cp1252", write_through=True))

    assert main(["convert", source, str(tmp_path / "voice")]) == 0

    assert VitsModel.from_pretrained(tmp_path / "voice")
    printed_text = printed.getvalue().decode("cp1252").splitlines()
    assert any("\\u0437\\u0430" in line for line in printed_text) and "tensors" in printed_text[-1]


def test_notes_are_reported_of_a_voice_that_is_there(source, tmp_path, monkeypatch):
    class Stdout(io.StringIO):
        def write(self, text):
            assert (tmp_path / "voice" / "config.json").is_file()
            return super().write(text)

    monkeypatch.setattr("sys.stdout", Stdout())
    assert main(["convert", source, str(tmp_path / "voice")]) == 0


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
@pytest.mark.parametrize("current", ["empty", "full"])
def test_an_output_that_an_unset_variable_left_empty_is_refused(source, tmp_path, monkeypatch, capsys, more, current):
    home = tmp_path / "home"
    home.mkdir()
    if current == "full":
        (home / "work.txt").touch()
    before = sorted(home.iterdir())
    monkeypatch.chdir(home)

    assert main(["convert", source, "", *more]) == 1

    assert "name of the folder to make is empty" in capsys.readouterr().err
    assert sorted(home.iterdir()) == before


@pytest.mark.parametrize(
    ("output", "printed_text"),
    [("full", "exists and is not empty. Choose another folder"), ("full/file", "file is a file; give the name of")],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_read(unread, tmp_path, capsys, output, printed_text):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()

    assert main(["convert", str(tmp_path / "G_1.pth"), str(tmp_path / output)]) == 1

    assert printed_text in capsys.readouterr().err


def test_convert_of_what_is_no_voice_is_an_error_and_makes_no_folder(tmp_path, capsys):
    (tmp_path / "voice.onnx").write_bytes(b"nothing of the kind")
    (tmp_path / "voice.onnx.json").write_text(json.dumps({}))
    assert main(["convert", str(tmp_path / "voice.onnx"), str(tmp_path / "out")]) == 1
    assert "voice.onnx" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
