"""Writes small models as Piper's exporters leave them, for tests of reading them."""

import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.weight_norm import NEW_G, NEW_V, fold

onnx = pytest.importorskip("onnx")
NAMES = json.loads((Path(__file__).parent / "original_names.json").read_text())
VOICES = {
    "low": {"resblock_type": "2", "resblock_dilation_sizes": [[1, 2], [2, 6]]},
    "high": {},
    "deterministic durations": {"use_stochastic_duration_prediction": False},
    "speakers": {"num_speakers": 3, "speaker_embedding_size": 6},
    "dilated flow": {"wavenet_dilation_rate": 2, "leaky_relu_slope": 0.2},
}


def tiny_model(**overrides) -> VitsModel:
    torch.manual_seed(0)
    fields = {
        "vocab_size": 20,
        "hidden_size": 12,
        "num_hidden_layers": 2,
        "ffn_dim": 16,
        "flow_size": 12,
        "upsample_initial_channel": 16,
        "upsample_rates": [4, 2],
        "upsample_kernel_sizes": [8, 4],
        "resblock_kernel_sizes": [3, 5],
        "resblock_dilation_sizes": [[1, 3], [1, 2]],
        "prior_encoder_num_wavenet_layers": 2,
        "sampling_rate": 22_050,
        "inference_only": True,
    }
    model = VitsModel(VitsConfig(**(fields | overrides))).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


def original_name(name: str) -> str:
    pattern, replacement = next(pair for pair in NAMES["pairs"] if re.fullmatch(pair[0], name))
    name = re.fullmatch(pattern, name).expand(replacement)
    if name.startswith(("dp.flows.", "dp.post_flows.")):
        for pattern, replacement in NAMES["then_inside_duration_flows"]:
            name = re.sub(pattern, replacement, name)
    return name


class VoiceFile:
    """Writes a model as the nodes and tensors that an exporter leaves of it. The graph is to be read, not run."""

    def __init__(self, model: VitsModel, layout: str):
        self.model, self.layout = model, layout
        self.nodes, self.tensors, self.count = [], [], 0
        self.held = {}

    def graph(self):
        for name, module in self.model.named_modules():
            if isinstance(module, nn.modules.conv._ConvNd):
                self.convolution(original_name(name + ".weight").removesuffix(".weight"), module)
            elif isinstance(module, nn.Linear):
                self.projection(original_name(name + ".weight").removesuffix(".weight"), module)
            elif isinstance(module, nn.LayerNorm):
                self.norm(original_name(name + ".weight").removesuffix(".gamma"), module)
            elif isinstance(module, nn.Embedding):
                name = original_name(name + ".weight")
                stored = {"folded": "sid" if "enc_p" in name else "onnx::Gather_7"}.get(self.layout, name)
                index = "input" if "enc_p" in name else "sid"
                self.node("Gather", name.removesuffix(".weight"), [self.store(stored, module.weight), index])
        for name, tensor in self.model.named_parameters():
            if "emb_rel" in name:
                name = original_name(name)
                stored = "onnx::Pad_" + str(len(self.nodes)) if self.layout == "folded" else name
                self.node("Pad", name.rpartition(".")[0], [self.store(stored, tensor), "pads"])
        if self.model.config.use_stochastic_duration_prediction:
            self.affine(self.model.duration_predictor.flows[0])
        for slope in (self.model.config.leaky_relu_slope, 0.01):
            self.node("LeakyRelu", "dec", ["signal"], alpha=slope)
        self.node("Slice", "", ["signal", self.store("/Constant_output_0", torch.tensor([0, 1]))])
        self.node("Mul", "enc_p", ["signal", self.store("/enc_p/Constant_output_0", torch.tensor(3.5))])
        return self

    def store(self, name: str, tensor) -> str:
        array = tensor.detach().numpy()
        if self.layout in ("stored once", "identities"):
            same = self.held.setdefault((array.shape, array.tobytes()), name)
            if same != name:
                if self.layout == "stored once":
                    return same
                self.nodes.append(onnx.helper.make_node("Identity", [same], [name], name="Identity_1"))
                return name
        proto = onnx.numpy_helper.from_array(array, name)
        if self.layout == "constants":
            self.nodes.append(onnx.helper.make_node("Constant", [], [name], value=proto))
        else:
            self.tensors.append(proto)
        return name

    def node(self, kind: str, module: str, inputs: list[str], **attributes) -> str:
        self.count += 1
        path = "/" + re.sub(r"\.(?!\d)", "/", module) + f"/{kind}" if module else ""
        name = f"{kind}_{self.count}" if self.layout == "without paths" else path
        self.nodes.append(onnx.helper.make_node(kind, inputs, [f"out_{self.count}"], name=name, **attributes))
        return f"out_{self.count}"

    def convolution(self, name: str, module) -> None:
        anonymous = "flow" in name and "enc" in name and self.layout in ("folded", "without paths", "stored once")
        if "dec.conv_post" in name and self.layout in ("folded", "without paths"):
            anonymous = True
        if self.layout == "weight norm" and hasattr(module, "parametrizations"):
            norm = module.parametrizations.weight
            parts = [self.store(f"{name}.weight_g", norm.original0), self.store(f"{name}.weight_v", norm.original1)]
            inputs = ["signal", self.node("Mul", name, parts)]
        else:
            stored = f"onnx::Conv_{8000 + self.count}" if anonymous else f"{name}.weight"
            inputs = ["signal", self.store(stored, module.weight)]
        if module.bias is not None:
            inputs.append(self.store(f"{name}.bias", module.bias))
        kind = "ConvTranspose" if isinstance(module, nn.ConvTranspose1d) else "Conv"
        attributes = {"strides": module.stride, "dilations": module.dilation, "group": module.groups}
        output = self.node(kind, name, inputs, **attributes)
        if "conv_post" in name:
            self.node("Tanh", "dec", [output])

    def projection(self, name: str, module) -> None:
        inputs = ["signal", self.store(f"{name}.weight", module.weight.unsqueeze(-1))]
        inputs += [self.store(f"{name}.bias", module.bias)] if module.bias is not None else []
        self.node("Conv", name, inputs, strides=[1], dilations=[1], group=1)

    def norm(self, name: str, module) -> None:
        gamma, beta = self.store(f"{name}.gamma", module.weight), self.store(f"{name}.beta", module.bias)
        if self.layout == "fused norms":
            self.node("LayerNormalization", name, ["signal", gamma, beta])
            return
        epsilon = self.store(f"/{name}/Constant_output_0", torch.tensor(1e-5))
        self.node("Add", name, ["variance", epsilon])
        self.node("Add", name, [self.node("Mul", name, ["signal", gamma]), beta])

    def affine(self, module) -> None:
        shifted = self.node("Sub", "dp.flows.0", ["signal", self.store("dp.flows.0.m", module.translate)])
        if self.layout in ("named", "weight norm"):
            self.node("Neg", "dp.flows.0", [self.store("dp.flows.0.logs", module.log_scale)])
            factor = "out_of_exp"
        else:
            factor = self.store("/dp/flows.0/Exp_output_0", torch.exp(-module.log_scale))
        self.node("Mul", "dp.flows.0", [shifted, factor])

    def save(self, path: Path) -> Path:
        inputs = [onnx.helper.make_tensor_value_info("input", onnx.TensorProto.INT64, ["batch", "phonemes"])]
        outputs = [onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, ["batch", 1, 1, "time"])]
        graph = onnx.helper.make_graph(self.nodes, "voice", inputs, outputs, initializer=self.tensors)
        opset = [onnx.helper.make_opsetid("", 15)]
        path.write_bytes(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())
        return path


def voice_json(config: VitsConfig) -> dict:
    symbols = ["_", "^", "$", " ", *"abcdefghijklmno"]
    return {
        "audio": {"sample_rate": config.sampling_rate, "quality": "test"},
        "espeak": {"voice": "en-us"},
        "language": {"code": "en_US"},
        "inference": {"noise_scale": 0.5, "length_scale": 1.25, "noise_w": 0.75},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": {symbol: [i] for i, symbol in enumerate(symbols)},
        "num_symbols": config.vocab_size,
        "num_speakers": config.num_speakers,
        "speaker_id_map": {f"p{i}": i for i in range(config.num_speakers)} if config.num_speakers > 1 else {},
    }


def write_voice(folder: Path, model: VitsModel, layout: str = "folded", change=None) -> Path:
    data = voice_json(model.config)
    if change:
        change(data)
    (folder / "voice.onnx.json").write_text(json.dumps(data))
    return VoiceFile(model, layout).graph().save(folder / "voice.onnx")


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
