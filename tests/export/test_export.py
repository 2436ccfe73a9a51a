import re
import sys

import onnx
import pytest
import torch
from export_voices import KINDS, PAPER
from huggingface_hub import ModelCard

from hf_vits import VitsModel
from hf_vits.export import PRECISIONS, TARGETS, Voice, export, known_targets, onnx_graph, verify
from hf_vits.hub.license import origin_of


def test_a_target_or_precision_that_does_not_exist_is_an_error_that_lists_those_there_are(
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


def test_a_voice_of_several_languages_is_exported_in_one_of_them(make_model, make_voice_tokenizer, tmp_path):
    model = make_model(**KINDS["languages"])
    for language, told in ((None, r"en, cs.*--language"), ("de", "'de'")):
        with pytest.raises(ValueError, match=told):
            export(model, make_voice_tokenizer("_abc"), tmp_path / "out", language=language)
    with pytest.raises(ValueError, match="`language` is 'en', but the target original"):
        export(model, make_voice_tokenizer("_abc"), tmp_path / "out", "original", language="en")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_anything_is_kept_unless_told_otherwise(make_model, make_voice_tokenizer, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    voice = make_model(), make_voice_tokenizer("_abc"), tmp_path / "out"
    with pytest.raises(FileExistsError, match="--overwrite"):
        export(*voice)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["notes.txt"]
    export(*voice, overwrite=True)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["README.md", "voice.onnx", "voice.onnx.json"]


@pytest.mark.parametrize(
    ("target", "stopped_by"),
    [("piper", OSError("No space left on device")), ("sherpa", KeyboardInterrupt()), ("split", KeyboardInterrupt())],
)
def test_what_stops_half_way_leaves_nothing(
    make_model, make_voice_tokenizer, tmp_path, monkeypatch, target, stopped_by
):
    def stop(*_, **__):
        raise stopped_by

    monkeypatch.setattr("pathlib.Path.write_bytes", stop)
    with pytest.raises(type(stopped_by)):
        export(make_model(), make_voice_tokenizer("_abc"), tmp_path / "out", target)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "precision"), [("piper", "float32"), ("split", "float32"), ("sherpa", "float16"), ("split", "int8")]
)
def test_a_file_that_says_something_else_is_not_kept(
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
    with pytest.raises(ValueError, match="does not say what it says in PyTorch, and was not kept"):
        export(make_model(), make_voice_tokenizer("_abc"), tmp_path / "out", target, precision)
    assert list(tmp_path.iterdir()) == []


def test_figures_beyond_the_bounds_are_not_good():
    found = verify.Parity("float32")
    found.add(torch.zeros(300).numpy(), torch.full((300,), 2e-3))
    assert not found.is_good
    for precision, other in (("float32", 3), ("int8", 11)):
        found = verify.Parity(precision)
        found.add_durations(torch.full((1, 10), 10).numpy() + 0, torch.full((1, 10), 10))
        assert found.is_good
        found.other_frames = other
        assert not found.is_good
    found = verify.Parity("int8")
    found.add(torch.randn(4000, generator=torch.Generator().manual_seed(0)).numpy(), torch.sin(torch.arange(4000) / 9))
    assert not found.is_good and found.correlation < 0.5
    found = verify.Parity("float32")
    found.add(torch.zeros(300).numpy(), torch.zeros(299))
    assert not found.is_good
    found = verify.Parity("float32")
    found.add(torch.full((300,), torch.nan).numpy(), torch.zeros(300))
    assert not found.is_good
    found.add(torch.zeros(300).numpy(), torch.zeros(300))
    assert not found.is_good


@pytest.mark.parametrize("ignored", ["nothing", "the length scale", "the speaker"])
def test_a_runtime_that_ignores_an_input_does_not_say_the_same(make_model, ignored):
    voice = Voice(make_model(**KINDS["speakers"]), None)

    @torch.no_grad()
    def speak(feed):
        ids, lengths = torch.from_numpy(feed["input"]), torch.from_numpy(feed["input_lengths"])
        said = voice.model(
            ids,
            attention_mask=(torch.arange(ids.shape[1]) < lengths[:, None]).long(),
            speaker_id=torch.from_numpy(feed["sid"] * (ignored != "the speaker")),
            noise_scale=0.0,
            noise_scale_duration=0.0,
            speaking_rate=1.0 if ignored == "the length scale" else 1 / float(feed["scales"][1]),
        )
        hop = voice.model.config.hop_length
        return said.durations.numpy(), lambda item, frames: said.waveform[item, : frames * hop].numpy()

    if ignored == "nothing":
        assert verify.compared(voice, range(20), speak).startswith("6 texts")
    else:
        with pytest.raises(ValueError, match="does not say what it says in PyTorch"):
            verify.compared(voice, range(20), speak)


def test_only_a_smaller_precision_is_told_to_try_float32():
    lost = {precision: verify.Parity(precision, error=1.0, correlation=0.0) for precision in PRECISIONS}
    for precision, found in lost.items():
        with pytest.raises(ValueError) as caught:
            verify.told(found)
        assert ("try float32" in str(caught.value)) == (precision != "float32")


def test_a_file_that_cannot_run_is_not_kept(make_model, make_voice_tokenizer, tmp_path, monkeypatch):
    def nameless(graph, *_):
        graph.graph.node[-1].op_type = "Nothing"
        return graph

    monkeypatch.setattr(onnx_graph, "with_precision", nameless)
    with pytest.raises(ValueError, match="onnxruntime cannot run the exported voice, which was not kept"):
        export(make_model(hidden_size=12), make_voice_tokenizer("_abc"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_the_command_that_brings_it(
    make_model, make_voice_tokenizer, tmp_path, monkeypatch, package
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'{package}: `pip install "hf_vits\[phonemes,onnx\]"`'):
        export(make_model(), make_voice_tokenizer("_abc"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_licence_goes_with_the_voice_and_the_card_names_who_reads_the_files(
    target, make_model, make_voice_tokenizer, tmp_path
):
    voice, card = tmp_path / "voice", "---\nlicense: cc-by-nc-4.0\nbase_model: facebook/mms-tts-fra\n---\n# A voice\n"
    make_model(**PAPER).save_pretrained(voice)
    (voice / "README.md").write_text(card)

    notes = export(VitsModel.from_pretrained(voice), make_voice_tokenizer("_abcd"), tmp_path / "out", target)

    assert any("licence holds for this too: cc-by-nc-4.0" in note for note in notes)
    origin = origin_of(str(tmp_path / "out"))
    assert origin.is_non_commercial and origin.on_hub == ["facebook/mms-tts-fra"]
    written = ModelCard.load(tmp_path / "out" / "README.md")
    assert all(note in written.text for note in notes if "licence" not in note)
    libraries = dict(zip(TARGETS, ("piper", "sherpa-onnx", "onnx", "vits", "transformers"), strict=True))
    assert written.data.library_name == libraries[target]
