"""Smaller files: weights in 16-bit floats or 8-bit integers, which a runtime makes single precision of when it loads.

What is computed stays float32, so a voice is as fast as before. onnxruntime has few kernels of float16 on a CPU, and
integer convolutions, whose scales are found as they run, cost more of the sound than the weights do, for no speed.
"""

import numpy as np

from hf_vits.export.tracing import needed

LEAST_SIZE = 2**10
"""Values of a weight that is made smaller; the others together are little."""

STEP = "/step"
"""Ends the name of the tensor that eight-bit weights are multiplied by; begins with theirs."""

LEAST_INT8_SIZE = 2**17
"""Values of a weight that `int8` makes 8 bits of, others 16: the embedding and narrow layers suffer most."""


def with_precision(model, precision: str):
    """An `onnx.ModelProto` in float32 -> the same with its large weights kept in another precision, by its name."""
    onnx = needed("onnx")
    made = onnx.ModelProto()
    made.CopyFrom(model)
    if precision == "float32":
        return made
    shrunk, transposed = _Shrunk(made), _transposed(made.graph)
    for tensor in list(made.graph.initializer):
        size = np.prod(tensor.dims, dtype=int)
        if tensor.data_type != onnx.TensorProto.FLOAT or size < LEAST_SIZE:
            continue
        if precision == "int8" and size >= LEAST_INT8_SIZE:
            shrunk.to_int8(tensor, axis=1 if tensor.name in transposed else 0)
        else:
            shrunk.to_float16(tensor)
    shrunk.finish()
    return made


class _Shrunk:
    """Replaces tensors of a model, and collects the nodes that restore them. Names are kept: readers go by them."""

    def __init__(self, model):
        self.model, self.nodes, self.restored = model, [], {}

    def to_float16(self, tensor) -> None:
        onnx = needed("onnx")
        values = onnx.numpy_helper.to_array(tensor)
        most = np.finfo(np.float16).max
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.clip(-most, most).astype(np.float16), tensor.name))
        self.restored[tensor.name] = self._node("Cast", [tensor.name], to=onnx.TensorProto.FLOAT)

    def to_int8(self, tensor, axis: int) -> None:
        """Whole numbers times a step for each channel along `axis`."""
        onnx, name = needed("onnx"), tensor.name
        values = onnx.numpy_helper.to_array(tensor)
        others = tuple(other for other in range(values.ndim) if other != axis)
        step = np.abs(values).max(axis=others, keepdims=True) / 127
        step = np.where(step == 0, 1, step).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.round(values / step).astype(np.int8), name))
        self.model.graph.initializer.append(onnx.numpy_helper.from_array(step, name + STEP))
        cast = self._node("Cast", [name], to=onnx.TensorProto.FLOAT)
        self.restored[name] = self._node("Mul", [cast, name + STEP])

    def finish(self) -> None:
        """Puts the nodes before all others, which then take what they restore."""
        graph = self.model.graph
        rest = list(graph.node)
        for node in rest:
            for position, name in enumerate(node.input):
                node.input[position] = self.restored.get(name, name)
        del graph.node[:]
        graph.node.extend([*self.nodes, *rest])

    def _node(self, kind: str, inputs: list[str], **attributes) -> str:
        output = f"/{kind}/{inputs[0].strip('/')}"
        self.nodes.append(needed("onnx").helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def _transposed(graph) -> set[str]:
    """Weights of transposed convolutions, whose output channels are their second dimension."""
    found = {node.input[1] for node in graph.node if node.op_type == "ConvTranspose"}
    return found | {node.input[0] for node in graph.node if node.op_type == "Unsqueeze" and node.output[0] in found}
