"""The file to convert is the one that is given, or the only one of its kind in a folder."""

import pytest
import torch

from hf_vits.conversion.source import Source, locate


def test_the_only_voice_of_a_folder_is_found_and_of_two_none(tmp_path):
    with pytest.raises(ValueError, match="it holds: none"):
        locate(tmp_path)
    (tmp_path / "notes.md").touch()
    (tmp_path / "a.onnx").touch()
    assert locate(tmp_path) == tmp_path / "a.onnx" == locate(tmp_path / "a.onnx")
    (tmp_path / "b.onnx").touch()
    with pytest.raises(ValueError, match="it holds: a.onnx, b.onnx"):
        locate(tmp_path)


def test_a_file_is_read_as_tensors_if_it_begins_as_one(tmp_path):
    torch.save({"model": {"enc_p.emb": torch.zeros(2)}}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(b"text" * 10)
    source = Source(tmp_path / "a.pth")
    assert source.has_tensors("enc_p.") and not source.has_tensors("enc_p.", "dec.")
    assert Source(tmp_path / "b.pth").checkpoint is None
    assert source.beside("none", "b.pth") == tmp_path / "b.pth" and Source(tmp_path).head == b""
