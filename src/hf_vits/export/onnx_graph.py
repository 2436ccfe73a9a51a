"""A module to an ONNX model: traced once, right for every length, its weights under the original repository's names."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.vits_keys import original_name
from hf_vits.export import Voice, needed
from hf_vits.export.graph import OnnxVits
from hf_vits.export.symbols import Symbols
from hf_vits.export.verify import whole_parity

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


OPSET = 17
"""The first in which a layer norm is one operator; onnxruntime knows it from 1.12 on."""

IR_VERSION = 8
"""The file format of that time."""

WEIGHTED = ("Conv", "ConvTranspose", "Gather", "MatMul", "LayerNormalization")
"""Operators that are named after the module whose weight they hold, as readers of such files expect."""

Axes = Mapping[int, str]
"""Names of the dimensions that vary."""


TWO_DIMENSIONAL = {
    torch.conv1d: (torch.conv2d, (1, 0, 1, None)),  # stride, padding, dilation, groups
    torch.conv_transpose1d: (torch.conv_transpose2d, (1, 0, 0, None, 1)),  # stride, paddings, groups, dilation
}
"""Convolutions along time: the same along rows, and what each of their settings is across them."""


class ConvolutionsOfRows(TorchFunctionMode):
    """Compute one-dimensional convolutions as two-dimensional ones of height 1, which onnxruntime runs faster.

    They accept signals (B, C, rows, T) too, each row of which is convolved alone.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """Replace convolutions, but those of one output, for which onnxruntime would compute a block of channels."""
        if function not in TWO_DIMENSIONAL or (args[0].dim() == 3 and len(args[1]) == 1):
            return function(*args, **(kwargs or {}))
        (signal, weight, bias, *settings), (of_rows, across) = args, TWO_DIMENSIONAL[function]
        rows = signal.unsqueeze(2) if signal.dim() == 3 else signal
        settings = [along if first is None else (first, *along) for first, along in zip(across, settings, strict=True)]
        result = of_rows(rows, weight.unsqueeze(2), bias, *settings)
        return result.squeeze(2) if signal.dim() == 3 else result


def traced(module: nn.Module, inputs: Mapping[str, tuple[Tensor, Axes]], outputs: Mapping[str, Axes]):
    """
    -> `onnx.ModelProto` of a module.

    Args:
        module (`nn.Module`):
            What to trace; its parameters have our names.
        inputs (`Mapping[str, tuple]`):
            By name an example of each, and the dimensions that vary.
        outputs (`Mapping[str, Mapping[int, str]]`):
            By name, the dimensions that vary.

    Raises:
        ImportError: without the package onnx.
    """
    onnx, file = needed("onnx"), io.BytesIO()
    module.training = True  # the exporter would merge weights of equal values, and names would be lost
    with torch.no_grad(), ConvolutionsOfRows(), _more_operators(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python numbers that are taken for constants; the parity check would see it
        torch.onnx.export(
            module,
            tuple(example for example, _ in inputs.values()),
            file,
            # The exporter that is the default now needs onnxscript and opset 18, takes twenty times as long, and has no
            # `searchsorted` either.
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            opset_version=OPSET,
            do_constant_folding=False,  # weights keep their names and shapes; runtimes fold when they load
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={**{name: dict(axes) for name, (_, axes) in inputs.items()}, **outputs},
        )
    module.training = False
    model = onnx.load_model_from_string(file.getvalue())
    model.ir_version = IR_VERSION
    _rename(model.graph)
    return model


@contextmanager
def _more_operators() -> Iterator[None]:
    """Within it, the exporter knows operators that it does not know, gets wrong, or is too careful with."""
    from torch.onnx import symbolic_helper as helper

    def searchsorted(graph, ordered, values, out_int32, right, side, sorter):
        """With `right=True`: how many of the ordered are not greater than each value."""
        assert helper._get_const(right, "b", "right"), "only the right side is written here"
        ordered = helper._unsqueeze_helper(graph, ordered, [-2])
        values = helper._unsqueeze_helper(graph, values, [-1])
        found = graph.op("Cast", graph.op("LessOrEqual", ordered, values), to_i=torch.onnx.TensorProtoDataType.INT64)
        return helper._reducesum_helper(graph, found, axes_i=[-1], keepdims_i=0)

    def movedim(graph, signal, source, destination):
        """Of one dimension, counted from the end or not."""
        rank = helper._get_tensor_rank(signal)
        source, destination = (helper._get_const(axis, "i", "axis") % rank for axis in (source, destination))
        order = [axis for axis in range(rank) if axis != source]
        order.insert(destination, source)
        return graph.op("Transpose", signal, perm_i=order)

    def squeeze(graph, signal, axis):
        """Of a dimension that is 1, as all are here; the exporter would have the runtime look first."""
        return helper._squeeze_helper(graph, signal, [helper._get_const(axis, "i", "axis")])

    def unflatten(graph, signal, axis, sizes):
        """Of the last dimension; the exporter would take the lengths of the example for those of every text."""
        rank, sizes = helper._get_tensor_rank(signal), helper._get_const(sizes, "is", "sizes")
        assert helper._get_const(axis, "i", "axis") in (-1, rank - 1), "only the last dimension is written here"
        sizes = torch.tensor([0] * (rank - 1) + [*sizes[:-1], -1])  # 0 is as many as there are, -1 what is left
        return helper._reshape_helper(graph, signal, graph.op("Constant", value_t=sizes))

    functions = {"searchsorted": searchsorted, "movedim": movedim, "squeeze": squeeze, "unflatten": unflatten}
    known = {f"aten::{name}": function for name, function in functions.items()}
    for name, function in known.items():
        torch.onnx.register_custom_op_symbolic(name, function, OPSET)
    try:
        yield
    finally:
        for name in known:
            torch.onnx.unregister_custom_op_symbolic(name, OPSET)


def _rename(graph) -> None:
    """Weights by the names that the ecosystem knows them by, and the nodes that hold them after their modules."""
    names = {tensor.name: original_name(tensor.name.removeprefix("model.")) for tensor in graph.initializer}
    holders = dict(names)  # what a tensor holds a weight of: itself, or a change of its shape alone
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = names.get(name, name)
            holder = holders.get(name)
            if holder is None:
                continue
            if node.op_type in ("Unsqueeze", "Transpose"):
                holders[node.output[0]] = holder
            elif node.op_type in WEIGHTED and re.search(r"\.(weight|gamma)$", holder):
                module = re.sub(r"\.\w+$", "", holder)
                # A number alone is an element of a list: layers.0, as exporters write it.
                node.name = "/" + re.sub(r"\.(?!\d)", "/", module) + f"/{node.op_type}"


TEXT = {0: "batch_size", 1: "phonemes"}


def write_whole(voice: Voice, symbols: Symbols, file: Path, metadata: Mapping[str, object] | None = None) -> str:
    """Traces a voice, checks it and writes it; returns how near to PyTorch it is, in words."""
    outputs = {"output": {0: "batch_size", 3: "time"}, "durations": TEXT}
    graph = traced(OnnxVits(voice.model, voice.language), text_inputs(voice.model.config), outputs)
    data = finished(graph, voice.precision, metadata)
    told = whole_parity(voice, symbols.used, data)
    file.write_bytes(data)
    return told


def text_inputs(config: VitsConfig) -> dict[str, tuple[torch.Tensor, Axes]]:
    """An example of what Piper's runtimes give: two texts of unequal length."""
    inputs = {
        "input": (torch.zeros(2, 7, dtype=torch.long), TEXT),
        "input_lengths": (torch.tensor([7, 5]), {0: "batch_size"}),
        "scales": (torch.tensor([0.667, 1.0, 0.8]), {}),
    }
    if config.num_speakers > 1:
        inputs["sid"] = (torch.zeros(2, dtype=torch.long), {0: "batch_size"})
    return inputs


def finished(graph, precision: str, metadata: Mapping[str, object] | None = None) -> bytes:
    """A traced graph -> its file, in a precision and with what runtimes read."""
    model = with_precision(graph, precision)
    model.producer_name = "hf_vits"
    needed("onnx").helper.set_model_props(model, {name: str(value) for name, value in (metadata or {}).items()})
    return model.SerializeToString()
