"""The voice's own noise, pace and window reach every target, in the words of each."""

import json

import pytest

from hf_vits.export import export

onnx = pytest.importorskip("onnx")
OWN = {"noise_scale": 0.3, "noise_scale_duration": 0.4, "speaking_rate": 1.25}


@pytest.fixture
def written(make_model, make_voice_tokenizer, tmp_path):
    def write(target):
        export(make_model(**OWN), make_voice_tokenizer("_abc"), tmp_path / target, target)
        return tmp_path / target

    return write


def metadata(file):
    return {entry.key: entry.value for entry in onnx.load(file).metadata_props}


def test_piper_reads_them_as_its_own_defaults(written):
    about = json.loads((written("piper") / "voice.onnx.json").read_text(encoding="utf-8"))
    assert about["inference"] == {"noise_scale": 0.3, "length_scale": 0.8, "noise_w": 0.4}


def test_sherpa_has_them_in_the_metadata(written):
    about = metadata(written("sherpa") / "model.onnx")
    assert [float(about[name]) for name in ("noise_scale", "length_scale", "noise_scale_w")] == [0.3, 0.8, 0.4]


def test_both_halves_have_them_in_the_metadata(written):
    folder = written("split")
    for name in ("text-to-latents.onnx", "decode-window.onnx"):
        about = metadata(folder / name)
        assert [float(about[key]) for key in ("noise_scale", "length_scale", "noise_scale_duration")] == [0.3, 0.8, 0.4]
