"""The text to speak comes from the command line or a file, whole and in UTF-8."""

from argparse import Namespace

import pytest

from hf_vits.cli import input_text
from hf_vits.cli.input_text import read_text_argument, text_of_file


def test_words_of_the_command_line_are_joined_and_a_file_beside_them_is_an_error():
    assert read_text_argument(Namespace(text=["a", "b"], input=None)) == "a b"
    with pytest.raises(ValueError, match="A text and --input are both given"):
        read_text_argument(Namespace(text=["a"], input="b"))
    with pytest.raises(ValueError, match="There is no text to speak"):
        read_text_argument(Namespace(text=[" "], input=None))


def test_the_mark_of_byte_order_is_not_spoken_and_other_encodings_are_an_error(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfh\xc3\xa9")
    assert text_of_file(file) == "hé"
    file.write_bytes(b"h\xe9!")
    with pytest.raises(ValueError, match="is not UTF-8 text .* at byte 1"):
        text_of_file(file)
    monkeypatch.setattr(input_text, "MAX_BYTES", 2)
    with pytest.raises(ValueError, match="more than 2 bytes"):
        text_of_file(file)
    with pytest.raises(IsADirectoryError):
        text_of_file(tmp_path)


def test_a_text_that_is_the_name_of_a_file_is_spoken_with_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("b")
    assert read_text_argument(Namespace(text=["a.txt"], input=None)) == "a.txt"
    assert "use --input" in capsys.readouterr().err
