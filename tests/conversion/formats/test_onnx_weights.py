"""Weights are read from ONNX graphs however an exporter stored them: Piper's graphs are the examples."""

import re
import sys

import numpy as np
import pytest
import torch
from piper_files import VOICES, VoiceFile, assert_same_weights, tiny_model, write_voice
from torch import nn

from hf_vits.conversion import convert

onnx = pytest.importorskip("onnx")
LAYOUTS = ("named", "folded", "without paths", "weight norm", "stored once", "identities", "fused norms", "constants")


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("overrides", VOICES.values(), ids=VOICES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_come_back_from_every_way_of_storing_them(tmp_path, layout, overrides):
    model = tiny_model(**overrides)

    converted = convert(write_voice(tmp_path, model, layout))

    assert_same_weights(converted.state_dict, model.state_dict())


def test_tensors_that_happen_to_be_equal_are_distinguished_by_their_nodes(tmp_path):
    model = tiny_model()
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith("bias"):
            nn.init.ones_(parameter)

    for layout in ("stored once", "identities"):
        assert_same_weights(convert(write_voice(tmp_path, model, layout)).state_dict, model.state_dict())


def test_half_precision_weights_become_single_precision(tmp_path):
    model = tiny_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    voice = VoiceFile(model, "weight norm").graph()
    for proto in voice.tensors:
        array = onnx.numpy_helper.to_array(proto)
        if array.dtype == np.float32:
            proto.CopyFrom(onnx.numpy_helper.from_array(array.astype(np.float16), proto.name))
    write_voice(tmp_path, model)

    converted = convert(voice.save(tmp_path / "voice.onnx"))

    assert_same_weights(converted.state_dict, model.state_dict())
    assert "Stored as float32: weights of the type float16." in converted.notes


def test_tensors_without_a_place_are_errors_that_name_them(tmp_path):
    model = tiny_model()
    voice = VoiceFile(model, "folded").graph()
    write_voice(tmp_path, model)
    voice.store("onnx::MatMul_77", torch.ones(3, 4))

    with pytest.raises(ValueError, match=re.escape("onnx::MatMul_77 [3, 4]")):
        convert(voice.save(tmp_path / "voice.onnx"))


def test_two_tensors_in_one_place_are_an_error(tmp_path):
    model = tiny_model()
    voice = VoiceFile(model, "folded").graph()
    write_voice(tmp_path, model)
    other = voice.store("other", torch.ones(16, 12, 7))
    voice.node("Conv", "dec.conv_pre", ["signal", other], strides=[1], dilations=[1], group=1)

    with pytest.raises(ValueError, match="dec.conv_pre.weight and other"):
        convert(voice.save(tmp_path / "voice.onnx"))


def test_quantized_weights_are_refused(tmp_path):
    model = tiny_model()
    voice = VoiceFile(model, "named").graph()
    write_voice(tmp_path, model)
    proto = next(proto for proto in voice.tensors if proto.name == "dec.conv_pre.weight")
    proto.CopyFrom(onnx.numpy_helper.from_array(np.ones(list(proto.dims), np.int8), proto.name))

    with pytest.raises(ValueError, match="quantized"):
        convert(voice.save(tmp_path / "voice.onnx"))


def external(voice: VoiceFile, location: str) -> None:
    proto = next(proto for proto in voice.tensors if proto.name == "dec.conv_pre.weight")
    data = proto.raw_data
    proto.ClearField("raw_data")
    proto.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(data)))):
        proto.external_data.add(key=key, value=value)
    return data


def test_data_beside_the_voice_is_read(tmp_path):
    model = tiny_model()
    voice = VoiceFile(model, "named").graph()
    write_voice(tmp_path, model)
    (tmp_path / "voice.data").write_bytes(external(voice, "voice.data"))

    assert_same_weights(convert(voice.save(tmp_path / "voice.onnx")).state_dict, model.state_dict())


@pytest.mark.parametrize("kind", ["parent", "absolute", "link"])
def test_data_outside_of_the_voices_folder_is_not_opened(tmp_path, kind):
    model = tiny_model()
    voice = VoiceFile(model, "named").graph()
    folder = tmp_path / "voice"
    folder.mkdir()
    write_voice(folder, model)
    secret = tmp_path / "secret"
    (folder / "link").symlink_to(secret)
    location = {"parent": "../secret", "absolute": str(secret), "link": "link"}[kind]
    secret.write_bytes(external(voice, location))

    with pytest.raises(ValueError, match="was not opened"):
        convert(voice.save(folder / "voice.onnx"))


def test_missing_data_is_an_error(tmp_path):
    model = tiny_model()
    voice = VoiceFile(model, "named").graph()
    write_voice(tmp_path, model)
    external(voice, "voice.data")

    with pytest.raises(ValueError, match="voice.data, which is not beside it"):
        convert(voice.save(tmp_path / "voice.onnx"))


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_an_error(tmp_path, a_voice, kept):
    path = tmp_path / "voice.onnx"
    path.write_bytes(a_voice.read_bytes()[: int(a_voice.stat().st_size * kept)])

    with pytest.raises(ValueError, match="truncated"):
        convert(path, config=a_voice.parent / "voice.onnx.json")


def test_without_onnx_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = write_voice(tmp_path, tiny_model())
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(ImportError, match=re.escape('`pip install "hf_vits[phonemes,onnx]"`')):
        convert(path)
