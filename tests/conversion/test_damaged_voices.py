import random
import time

import numpy as np
import pytest
from piper_files import tiny_model, write_voice
from tiny_voices import SMALLEST

from hf_vits.conversion import convert
from hf_vits.conversion.converted import Converted
from hf_vits.conversion.vits_keys import count_layers

onnx = pytest.importorskip("onnx")
EMBEDDING = "enc_p.emb.weight"


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    """A small voice, to be read only."""
    return write_voice(tmp_path_factory.mktemp("voice"), tiny_model(**SMALLEST), "named")


@pytest.fixture
def damaged(voice, tmp_path):
    """Makes a copy of the voice whose parsed file a function has changed."""

    def make(change):
        model = onnx.load_model_from_string(voice.read_bytes())
        change(model.graph)
        path = tmp_path / "voice.onnx"
        path.write_bytes(model.SerializeToString())
        (tmp_path / "voice.onnx.json").write_bytes((voice.parent / "voice.onnx.json").read_bytes())
        return path

    return make


def tensor(graph, name):
    return next(proto for proto in graph.initializer if proto.name == name)


def add_tensor(name, shape=(2, 2)):
    def change(graph):
        if name in [proto.name for proto in graph.initializer]:
            graph.initializer.remove(tensor(graph, name))
        graph.initializer.append(onnx.numpy_helper.from_array(np.ones(shape, np.float32), name))

    return change


def add_node(kind, inputs=(), outputs=()):
    return lambda graph: graph.node.append(onnx.NodeProto(op_type=kind, input=inputs, output=outputs))


def attribute(kind, name, value):
    """Gives every node of a kind another value of an attribute."""

    def change(graph):
        for node in graph.node:
            for part in node.attribute:
                if node.op_type == kind and part.name == name:
                    part.CopyFrom(onnx.helper.make_attribute(name, value))

    return change


def without_convolution(name):
    """Takes a convolution's node and keeps its weight."""

    def change(graph):
        for node in [node for node in graph.node if f"{name}.weight" in node.input]:
            graph.node.remove(node)

    return change


def in_file(location):
    def change(graph):
        proto = tensor(graph, EMBEDDING)
        proto.ClearField("raw_data")
        proto.data_location = onnx.TensorProto.EXTERNAL
        proto.external_data.add(key="location", value=location)

    return change


def field(name, value):
    return lambda graph: setattr(tensor(graph, EMBEDDING), name, value)


def shape(*sizes):
    def change(graph):
        tensor(graph, EMBEDDING).dims[:] = sizes

    return change


CHANGES = {
    "constant without output": (add_node("Constant"), "of type Constant has 0 inputs and 0 outputs"),
    "identity without input": (add_node("Identity", [], ["z"]), "of type Identity has 0 inputs"),
    "identity without output": (add_node("Identity", [EMBEDDING]), "of type Identity has 1 inputs and 0 outputs"),
    "gather of one input": (add_node("Gather", [EMBEDDING], ["z"]), "of type Gather has 1 inputs"),
    "subtraction of one input": (add_node("Sub", [EMBEDDING], ["z"]), "of type Sub has 1 inputs"),
    "strides that are floats": (attribute("Conv", "strides", [1.0]), "strides of .* is not a value of type INTS"),
    "groups that are a text": (attribute("Conv", "group", "x"), "group of .* is not a value of type INT"),
    "slope that is a text": (attribute("LeakyRelu", "alpha", "x"), "alpha of .* is not a value of type FLOAT"),
    "dtype": (field("data_type", 99), "is of the type 99, which ONNX does not have"),
    "null in a location": (in_file("a\0b"), "which names no file"),
    "long location": (in_file("a" * 5000), "which names no file"),
    "negative size": (shape(-1, 12), r"has the shape \[-1, 12\]"),
    "rank of the embedding": (shape(240), r"enc_p.emb.weight has the shape \[240\], .* 2 dimensions"),
    "rank of a decoder's layer": (add_tensor("dec.conv_pre.weight"), r"dec.conv_pre.weight has the shape \[2, 2\]"),
    "rank of the positions": (
        add_tensor("enc_p.encoder.attn_layers.0.emb_rel_k", (9,)),
        r"emb_rel_k has the shape \[9\]",
    ),
    "rank of the speakers": (add_tensor("emb_g.weight", (3,)), r"emb_g.weight has the shape \[3\], .* 2 dimensions"),
    "empty positions": (add_tensor("enc_p.encoder.attn_layers.0.emb_rel_k", (1, 9, 0)), "none of them 0"),
    "empty layer": (add_tensor("flow.flows.0.enc.in_layers.0.weight", (24, 0, 5)), "none of them 0"),
    "empty layer, otherwise not looked at": (
        add_tensor("flow.flows.0.enc.res_skip_layers.0.weight", (0, 12, 1)),
        "damaged|shape",
    ),
    "no upsampling": (without_convolution("dec.ups.0"), "has 'dec.ups.1' but not number 0"),
    "no residual block": (without_convolution("dec.resblocks.0.convs1.0"), "each block needs one or more dilations"),
    "layer 99999999": (
        add_tensor("enc_p.encoder.attn_layers.99999999.conv_q.weight"),
        "belong to no part of a VITS generator .*layers.99999999",
    ),
    "coupling 4000000": (add_tensor("flow.flows.4000000.pre.weight"), "belong to no part .*flow.flows.4000000.pre"),
    "spline 4000001": (add_tensor("dp.flows.4000001.proj.weight"), "belong to no part .*dp.flows.4000001.proj"),
    "stage 3000000": (add_tensor("dec.ups.3000000.weight"), "3000000.* but not number 2"),
    "number of 5000 digits": (add_tensor(f"dec.ups.{'9' * 5000}.weight"), "but not number 2"),
    "one name twice": (
        lambda graph: graph.initializer.append(onnx.numpy_helper.from_array(np.ones((20, 12), np.float32), EMBEDDING)),
        "two tensors are called enc_p.emb.weight",
    ),
    "one name for a tensor and an identity": (
        add_node("Identity", ["dec.conv_pre.weight"], [EMBEDDING]),
        "two tensors are called enc_p.emb.weight",
    ),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_a_changed_graph_is_an_error_that_says_what_is_wrong(damaged, change, message):
    with pytest.raises(ValueError, match=message) as raised:
        convert(damaged(change))
    assert not isinstance(raised.value, UnicodeError)
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("name", [EMBEDDING, "dec.ups.0.bias", "/enc_p/emb/Gather", "strides", "Conv"])
def test_a_name_that_is_not_utf_8_is_an_error(voice, tmp_path, name):
    data = voice.read_bytes()
    assert name.encode() in data
    (tmp_path / "voice.onnx").write_bytes(data.replace(name.encode(), b"\xff" + name.encode()[1:]))

    with pytest.raises(ValueError, match="is damaged: the name b'.* is not UTF-8"):
        convert(tmp_path / "voice.onnx", config=voice.parent / "voice.onnx.json")


def test_one_name_twice_for_the_same_values_is_no_error(damaged):
    assert convert(damaged(lambda graph: graph.initializer.append(tensor(graph, EMBEDDING)))).config.vocab_size == 20


def test_whatever_a_reader_stumbles_over_is_one_error_that_names_the_file(voice, monkeypatch):
    for error in (KeyError("x"), IndexError("x"), TypeError("x"), RecursionError("x"), RuntimeError("x\ny")):

        def stumble(self, error=error):
            raise error

        monkeypatch.setattr("hf_vits.conversion.formats.onnx_weights._Finder.find", stumble)
        with pytest.raises(ValueError, match=rf"voice.onnx, .* is damaged \({type(error).__name__}: '?x'?\)"):
            convert(voice)


def test_layers_are_counted_only_if_none_is_left_out():
    names = ["a.0.x", "a.1.x", "a.1.y", "b.1.x", "b.3.x"]

    assert count_layers(names, r"a\.(\d+)\.") == 2
    assert count_layers(names, r"c\.(\d+)\.") == 0
    for gap in ("a.3.x", "a.01.x"):
        with pytest.raises(ValueError, match=f"'{gap[:-1]}' but not number 2"):
            count_layers([*names, gap], r"a\.(\d+)\.")


def flipped(data: bytes, chance: random.Random, near: tuple[bytes, ...] = ()) -> bytes:
    """1 to 5 flipped bits, anywhere or around a place where one of `near` stands."""
    result = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 5])):
        place = chance.randrange(len(data))
        if near:
            place = max(data.find(chance.choice(near), place) + chance.randrange(-12, 20), 0) % len(data)
        result[place] ^= 1 << chance.randrange(8)
    return bytes(result)


@pytest.mark.thorough
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "part", [pytest.param("anywhere in the graph", marks=pytest.mark.slow), "names and attributes", "JSON"]
)
def test_flipped_bits_give_a_voice_or_an_error_and_never_a_traceback_or_a_hang(voice, tmp_path, part):
    chance = random.Random(part)
    config = voice.parent / "voice.onnx.json"
    names = (b"enc_p", b"dec.", b"/dec", b"flow", b"Conv", b"dilations", b"strides", b"alpha", b"group")
    outcomes = {True: 0, False: 0}
    for _ in range(200):
        if part == "JSON":
            (tmp_path / "voice.onnx").write_bytes(voice.read_bytes())
            (tmp_path / "voice.onnx.json").write_bytes(flipped(config.read_bytes(), chance))
        else:
            near = names if part == "names and attributes" else ()
            (tmp_path / "voice.onnx").write_bytes(flipped(voice.read_bytes(), chance, near))
            (tmp_path / "voice.onnx.json").write_bytes(config.read_bytes())
        start = time.monotonic()
        try:
            found = convert(tmp_path / "voice.onnx")
        except (ValueError, OSError) as error:
            assert str(error)
            found = None
        assert found is None or isinstance(found, Converted)
        assert time.monotonic() - start < 10
        outcomes[found is not None] += 1
        assert {file.name for file in tmp_path.iterdir()} == {"voice.onnx", "voice.onnx.json"}
    assert all(outcomes.values())  # the damage was neither too little nor too much to test anything


def test_json_nested_without_an_end_is_an_error(voice, tmp_path):
    (tmp_path / "deep.json").write_text("[" * 200_000)

    with pytest.raises(ValueError, match="deep.json is not JSON"):
        convert(voice, config=tmp_path / "deep.json")
