import re
import sys

import onnx
import pytest
import torch
from export_voices import KINDS, PAPER
from huggingface_hub import ModelCard

from hf_vits import VitsModel
from hf_vits.export import TARGETS, export, known_targets, onnx_graph, target
from hf_vits.hub.license import origin_of


def test_an_unknown_target_or_precision_is_an_error_that_lists_the_known_ones(
    make_model, make_voice_tokenizer, tmp_path
):
    voice = make_model(), make_voice_tokenizer("_abc"), tmp_path / "out"
    with pytest.raises(ValueError, match="`target` is 'tflite'; it can be one of " + ", ".join(TARGETS)):
        export(*voice, target="tflite")
    with pytest.raises(ValueError, match="`precision` is 'int4'; it can be one of float32, float16, int8"):
        export(*voice, precision="int4")
    for name in ("a/b", "", "..", "."):
        with pytest.raises(ValueError, match=re.escape(f"`name` is {name!r}")):
            export(*voice, name=name)
    with pytest.raises(ValueError, match="folder to make is empty"):
        export(*voice[:2], "", overwrite=True)
    with pytest.raises(ValueError, match="id 3, but the model knows ids 0 to 2"):
        export(make_model(vocab_size=3), make_voice_tokenizer("_abc"), tmp_path / "out")
    assert [line.split(":")[0] for line in known_targets()] == list(TARGETS)


def test_a_multilingual_model_is_exported_in_one_language(make_model, make_voice_tokenizer, tmp_path):
    model = make_model(**KINDS["languages"])
    for language, message in ((None, r"en, cs.*--language"), ("de", "'de'")):
        with pytest.raises(ValueError, match=message):
            export(model, make_voice_tokenizer("_abc"), tmp_path / "out", language=language)
    with pytest.raises(ValueError, match="`language` is 'en', but the target original"):
        export(model, make_voice_tokenizer("_abc"), tmp_path / "out", "original", language="en")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty_is_kept_unless_it_may_be_replaced(make_model, make_voice_tokenizer, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    voice = make_model(), make_voice_tokenizer("_abc"), tmp_path / "out"
    with pytest.raises(FileExistsError, match="--overwrite"):
        export(*voice)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["notes.txt"]
    export(*voice, overwrite=True)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["README.md", "voice.onnx", "voice.onnx.json"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("target", "stopped_by"),
    [("piper", OSError("No space left on device")), ("sherpa", KeyboardInterrupt()), ("split", KeyboardInterrupt())],
)
def test_an_interrupted_export_leaves_nothing(
    make_model, make_voice_tokenizer, tmp_path, monkeypatch, target, stopped_by
):
    def stop(*_, **__):
        raise stopped_by

    monkeypatch.setattr("pathlib.Path.write_bytes", stop)
    with pytest.raises(type(stopped_by)):
        export(make_model(), make_voice_tokenizer("_abc"), tmp_path / "out", target)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(
    ("target", "precision"), [("piper", "float32"), ("split", "float32"), ("sherpa", "float16"), ("split", "int8")]
)
def test_a_graph_with_another_output_is_not_kept(
    make_model, make_voice_tokenizer, tmp_path, monkeypatch, target, precision
):
    def damaged(graph, *arguments):
        other = onnx.ModelProto()
        other.CopyFrom(graph)
        for tensor in other.graph.initializer:
            if tensor.name.startswith("dec.") and len(tensor.dims) > 1:
                size = 4 * tensor.dims[-1]
                tensor.raw_data = tensor.raw_data[size:] + tensor.raw_data[:size]  # each where its neighbour belongs
        return before(other, *arguments)

    before = onnx_graph.with_precision
    monkeypatch.setattr(onnx_graph, "with_precision", damaged)
    with pytest.raises(ValueError, match="differs from PyTorch's, and was not kept"):
        export(make_model(), make_voice_tokenizer("_abc"), tmp_path / "out", target, precision)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_a_file_that_cannot_run_is_not_kept(make_model, make_voice_tokenizer, tmp_path, monkeypatch):
    def nameless(graph, *_):
        graph.graph.node[-1].op_type = "Nothing"
        return graph

    monkeypatch.setattr(onnx_graph, "with_precision", nameless)
    with pytest.raises(ValueError, match="onnxruntime cannot run the exported model, which was not kept"):
        export(make_model(hidden_size=12), make_voice_tokenizer("_abc"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    make_model, make_voice_tokenizer, tmp_path, monkeypatch, package
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'{package}: `pip install "hf_vits\[phonemes,onnx\]"`'):
        export(make_model(), make_voice_tokenizer("_abc"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("target", TARGETS)
def test_a_license_is_inherited_and_the_model_card_names_the_library(
    target, make_model, make_voice_tokenizer, tmp_path
):
    voice, card = tmp_path / "voice", "---\nlicense: cc-by-nc-4.0\nbase_model: facebook/mms-tts-fra\n---\n# A voice\n"
    make_model(**(PAPER if target == "original" else {})).save_pretrained(voice)
    (voice / "README.md").write_text(card)

    notes = export(VitsModel.from_pretrained(voice), make_voice_tokenizer("_abcd"), tmp_path / "out", target)

    assert any("The license of the model applies: cc-by-nc-4.0" in note for note in notes)
    origin = origin_of(str(tmp_path / "out"))
    assert origin.is_non_commercial and origin.on_hub == ["facebook/mms-tts-fra"]
    written = ModelCard.load(tmp_path / "out" / "README.md")
    assert all(note in written.text for note in notes if "license" not in note)
    libraries = dict(zip(TARGETS, ("piper", "sherpa-onnx", "onnx", "vits", "transformers"), strict=True))
    assert written.data.library_name == libraries[target]


def test_a_target_is_registered_from_outside_the_package(make_model, make_voice_tokenizer, tmp_path):
    @target("weights", "weights.pt, for PyTorch", library="pytorch", is_graph=False)
    def write(voice, folder):
        torch.save(voice.model.state_dict(), folder / "weights.pt")
        yield "Weights only."

    try:
        notes = export(make_model(), make_voice_tokenizer("_abc"), tmp_path / "out", "weights")
        assert notes[0] == "Weights only." and "weights: weights.pt, for PyTorch" in known_targets()
        assert torch.load(tmp_path / "out" / "weights.pt").keys() == make_model().state_dict().keys()
        with pytest.raises(ValueError, match="the target weights holds weights in float32"):
            export(make_model(), make_voice_tokenizer("_abc"), tmp_path / "other", "weights", "int8")
    finally:
        TARGETS.unregister("weights")
