"""A format is one module and one entry: here one of a program that this package does not know."""

import importlib
import subprocess
import sys

import pytest
import torch
from original_files import tiny_model

from hf_vits.cli import main
from hf_vits.conversion import FORMATS, convert, known_formats
from hf_vits.conversion.formats import suffix_descriptions
from hf_vits.conversion.resolve import resolve_voice

TOY_FORMAT = """
from hf_vits.conversion import Converted, register_format
from hf_vits.conversion.key_mapping import translate
from hf_vits.conversion.shape_inference import infer_config

RULES = ((r"^acme\\.", ""),)

def recognizes(source):
    return source.has_tensors("acme.text_encoder.", "acme.decoder.")

def convert(source):
    tensors, notes = translate(source.checkpoint.tensors, RULES)
    known = {name: source.checkpoint.rest[name] for name in ("upsample_rates", "resblock_dilation_sizes")}
    config = infer_config({name: tensor.shape for name, tensor in tensors.items()}, **known)
    return Converted(config, tensors, notes=(*notes, "An Acme voice."))

register_format("acme", "Acme voice (*.acme)", "Acme", __name__, suffixes=[".acme"])
"""


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A file of a program whose format another package registers."""
    (tmp_path / "acme_format.py").write_text(TOY_FORMAT)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("acme_format")
    model = tiny_model()
    rates = {name: getattr(model.config, name) for name in ("upsample_rates", "resblock_dilation_sizes")}
    tensors = {f"acme.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"model": tensors, **rates}, tmp_path / "voice.acme")
    yield model, tmp_path / "voice.acme"
    FORMATS.unregister("acme")
    del sys.modules["acme_format"]


def test_a_format_of_another_package_is_converted(acme, tmp_path, capsys):
    model, file = acme

    converted = convert(file)

    assert all(torch.equal(converted.state_dict[name], tensor) for name, tensor in model.state_dict().items())
    assert main(["convert", str(file), str(tmp_path / "output")]) == 0
    assert "An Acme voice." in capsys.readouterr().out and (tmp_path / "output" / "model.safetensors").is_file()
    assert convert(tmp_path).config == converted.config  # the only voice in its folder, by its suffix


def test_a_format_of_another_package_is_listed_and_known_by_its_suffix(acme, tmp_path):
    _, file = acme

    assert "Acme voice (*.acme)" in known_formats()
    assert suffix_descriptions()[".acme"] == "a file of the suffix .acme, as of Acme"
    with pytest.raises(ValueError, match=r"as of Acme. Convert it first.*: hf-vits convert .*voice.acme"):
        resolve_voice(file)
    (tmp_path / "other").touch()
    with pytest.raises(ValueError, match=r"no format that can be converted.*; Acme voice \(\*.acme\)"):
        convert(tmp_path / "other")


def test_every_suffix_that_a_format_declares_is_described():
    descriptions = suffix_descriptions()
    for format in FORMATS.values():
        assert all(format.writer in descriptions[suffix] for suffix in format.suffixes)
    assert "Coqui TTS or the original VITS" in descriptions[".pth"]


def test_what_formats_declare_is_known_without_importing_torch():
    code = "import sys; from hf_vits.conversion import resolve, formats; formats.suffix_descriptions(); "
    code += "print([name for name in sys.modules if name in ('torch', 'transformers', 'hf_vits.conversion.reader')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
