"""A decoder of ours as an ONNX graph, so that onnxruntime can run the same weights."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hf_vits.modules.decoders.hifigan import FINAL_SLOPE, HifiGan


class Graph:
    """Nodes and weights, one after another; each node's output is the name that it returns."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def add(self, kind: str, *inputs: str, **attributes) -> str:
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def weight(self, values: np.ndarray) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def layer(self, kind: str, layer, signal: str) -> str:
        """`Conv` or `ConvTranspose` of a module's weights."""
        parameters = [p for p in (layer.weight, layer.bias) if p is not None]
        return self.add(
            kind,
            signal,
            *(self.weight(parameter.detach().numpy()) for parameter in parameters),
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            dilations=list(layer.dilation),
            pads=[layer.padding[0]] * 2,
        )


def onnx_decoder(decoder: HifiGan) -> bytes:
    """A decoder without speakers -> the graph `latents` (1, C, T_spec) -> `waveform` (1, 1, T_wav)."""
    graph = Graph()
    signal = graph.layer("Conv", decoder.conv_pre, "latents")
    for stage, upsample in enumerate(decoder.upsampler):
        signal = graph.layer("ConvTranspose", upsample, graph.add("LeakyRelu", signal, alpha=decoder.slope))
        first = stage * decoder.blocks_per_stage
        blocks = decoder.resblocks[first : first + decoder.blocks_per_stage]
        outputs = [_block(graph, block, signal) for block in blocks]
        signal = outputs[0]
        for output in outputs[1:]:
            signal = graph.add("Add", signal, output)
        signal = graph.add("Div", signal, graph.weight(np.float32(len(blocks))))
    last = graph.layer("Conv", decoder.conv_post, graph.add("LeakyRelu", signal, alpha=FINAL_SLOPE))
    graph.nodes.append(helper.make_node("Tanh", [last], ["waveform"]))
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size, None])]
        for name, size in (("latents", decoder.conv_pre.in_channels), ("waveform", 1))
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "decoder", *ends, graph.weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _block(graph: Graph, block, signal: str) -> str:
    if hasattr(block, "convs"):  # type 2
        pairs = [(conv,) for conv in block.convs]
    else:
        pairs = zip(block.convs1, block.convs2, strict=True)
    for convs in pairs:
        inner = signal
        for conv in convs:
            inner = graph.layer("Conv", conv, graph.add("LeakyRelu", inner, alpha=block.slope))
        signal = graph.add("Add", inner, signal)
    return signal
