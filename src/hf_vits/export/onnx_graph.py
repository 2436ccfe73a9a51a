"""Trace a module as an ONNX model for inputs of any length, with weights under the original repository's names.

Private names used, and why: operations that the exporter lacks are written with its own `_get_const`,
`_get_tensor_rank`, `_reshape_helper` and `_squeeze_helper`, for which PyTorch has no public functions.
"""

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
from hf_vits.export.tokens import Tokens
from hf_vits.export.verify import verify_whole

MIN_SIZE = 2**10
"""Values of a weight from which on it is stored in lower precision; smaller weights together are little."""

STEP = "/step"
"""Suffix of the name of the tensor that eight-bit weights are multiplied by, after the name of the weight."""

MIN_INT8_SIZE = 2**17
"""Values of a weight from which on `int8` stores 8 bits, and 16 below: the embedding and narrow layers lose most."""


def with_precision(model, precision: str):
    """Return an `onnx.ModelProto` in float32 with its large weights stored in another precision."""
    onnx = needed("onnx")
    compact = onnx.ModelProto()
    compact.CopyFrom(model)
    if precision == "float32":
        return compact
    compressed, transposed = _Compressed(compact), _transposed(compact.graph)
    for tensor in list(compact.graph.initializer):
        size = np.prod(tensor.dims, dtype=int)
        if tensor.data_type != onnx.TensorProto.FLOAT or size < MIN_SIZE:
            continue
        if precision == "int8" and size >= MIN_INT8_SIZE:
            compressed.to_int8(tensor, axis=1 if tensor.name in transposed else 0)
        else:
            compressed.to_float16(tensor)
    compressed.finish()
    return compact


class _Compressed:
    """Replace tensors of a model, and collect the nodes that restore them. Names stay, because readers search them."""

    def __init__(self, model):
        self.model, self.nodes, self.restored = model, [], {}

    def to_float16(self, tensor) -> None:
        onnx = needed("onnx")
        values = onnx.numpy_helper.to_array(tensor)
        most = np.finfo(np.float16).max
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.clip(-most, most).astype(np.float16), tensor.name))
        self.restored[tensor.name] = self._node("Cast", [tensor.name], to=onnx.TensorProto.FLOAT)

    def to_int8(self, tensor, axis: int) -> None:
        """Store integers and a step for each channel along `axis`."""
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
        """Insert the nodes before all others, which then take what they restore."""
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
    """Return the weights of transposed convolutions, whose output channels are their second dimension."""
    found = {node.input[1] for node in graph.node if node.op_type == "ConvTranspose"}
    return found | {node.input[0] for node in graph.node if node.op_type == "Unsqueeze" and node.output[0] in found}


OPSET = 17
"""The first with an operator for layer norm; onnxruntime supports it from 1.12 on."""

IR_VERSION = 8
"""The file format of the same time."""

WEIGHTED = ("Conv", "ConvTranspose", "Gather", "MatMul", "LayerNormalization")
"""Operators that are named after the module whose weight they take, as readers of such files expect."""

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
        if function not in TWO_DIMENSIONAL or kwargs:
            return function(*args, **(kwargs or {}))
        if len(args[1]) == 1:
            signal, *others = args
            one = function(signal if signal.dim() == 3 else signal.squeeze(2), *others)
            return one if signal.dim() == 3 else one.unsqueeze(2)
        (signal, weight, bias, *settings), (of_rows, across) = args, TWO_DIMENSIONAL[function]
        rows = signal.unsqueeze(2) if signal.dim() == 3 else signal
        settings = [along if first is None else (first, *along) for first, along in zip(across, settings, strict=True)]
        result = of_rows(rows, weight.unsqueeze(2), bias, *settings)
        return result.squeeze(2) if signal.dim() == 3 else result


def traced(module: nn.Module, inputs: Mapping[str, tuple[Tensor, Axes]], outputs: Mapping[str, Axes]):
    """
    Return the `onnx.ModelProto` of a module.

    Args:
        module (`nn.Module`):
            The module to trace.
        inputs (`Mapping[str, tuple]`):
            By name an example, and the dimensions that vary.
        outputs (`Mapping[str, Mapping[int, str]]`):
            By name, the dimensions that vary.

    Raises:
        ImportError: without the package onnx.
        ValueError: for an operation that ONNX does not have.
    """
    onnx, file = needed("onnx"), io.BytesIO()
    module.training = True  # else the exporter merges weights of equal values, and names are lost
    with torch.no_grad(), ConvolutionsOfRows(), _more_operators(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about Python numbers that become constants; the comparison would show it
        try:
            torch.onnx.export(
                module,
                tuple(example for example, _ in inputs.values()),
                file,
                # The default exporter needs onnxscript and opset 18, and takes twenty times as long.
                dynamo=False,
                training=torch.onnx.TrainingMode.PRESERVE,
                opset_version=OPSET,
                do_constant_folding=False,  # weights keep their names and shapes; runtimes fold when they load
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes={**{name: dict(axes) for name, (_, axes) in inputs.items()}, **outputs},
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ValueError(f"The model computes what ONNX cannot express: {str(error).splitlines()[0]}") from error
    module.training = False
    model = onnx.load_model_from_string(file.getvalue())
    model.ir_version = IR_VERSION
    if "sid" in inputs and "sid" not in {value.name for value in model.graph.input}:  # the decoder takes no speaker
        shape = [inputs["sid"][1][0]]
        model.graph.input.append(onnx.helper.make_tensor_value_info("sid", onnx.TensorProto.INT64, shape))
    _rename(model.graph)
    return model


@contextmanager
def _more_operators() -> Iterator[None]:
    """Replace the exporter's translation of operators that it gets wrong, handles too carefully or does not know."""
    from torch.onnx import symbolic_helper as helper

    def squeeze(graph, signal, axis):
        """Translate for a dimension of size 1, as all are here; the exporter would let the runtime check."""
        return helper._squeeze_helper(graph, signal, [helper._get_const(axis, "i", "axis")])

    def unflatten(graph, signal, axis, sizes):
        """Translate for the last dimension; the exporter would make the lengths of the example constant."""
        rank, sizes = helper._get_tensor_rank(signal), helper._get_const(sizes, "is", "sizes")
        assert helper._get_const(axis, "i", "axis") in (-1, rank - 1), "only the last dimension is written here"
        sizes = torch.tensor([0] * (rank - 1) + [*sizes[:-1], -1])  # 0 keeps a size, -1 is inferred
        return helper._reshape_helper(graph, signal, graph.op("Constant", value_t=sizes))

    def transpose_last(graph, signal):
        """Translate `Tensor.mT`."""
        *others, rows, columns = range(helper._get_tensor_rank(signal))
        return graph.op("Transpose", signal, perm_i=[*others, columns, rows])

    known = {"aten::squeeze": squeeze, "aten::unflatten": unflatten, "aten::mT": transpose_last}
    for name, function in known.items():
        torch.onnx.register_custom_op_symbolic(name, function, OPSET)
    try:
        yield
    finally:
        for name in known:
            torch.onnx.unregister_custom_op_symbolic(name, OPSET)


def _rename(graph) -> None:
    """Give weights their original names, and name the nodes that take them after their modules."""
    names = {tensor.name: original_name(tensor.name.removeprefix("model.")) for tensor in graph.initializer}
    holders = dict(names)  # by tensor, the weight that it is, possibly reshaped
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


def write_whole(voice: Voice, tokens: Tokens, file: Path, metadata: Mapping[str, object] | None = None) -> str:
    """Trace a model, compare it with PyTorch and write it; return a note on how close it is."""
    outputs = {"output": {0: "batch_size", 3: "time"}, "durations": TEXT}
    graph = traced(OnnxVits(voice.model, voice.language), text_inputs(voice.model.config), outputs)
    data = finished(graph, voice.precision, metadata)
    note = verify_whole(voice, tokens.used, data)
    file.write_bytes(data)
    return note


def text_inputs(config: VitsConfig) -> dict[str, tuple[torch.Tensor, Axes]]:
    """Return examples of the inputs of Piper's runtimes: two texts of unequal length."""
    inputs = {
        "input": (torch.zeros(2, 7, dtype=torch.long), TEXT),
        "input_lengths": (torch.tensor([7, 5]), {0: "batch_size"}),
        "scales": (torch.tensor([0.667, 1.0, 0.8]), {}),
    }
    if config.num_speakers > 1:
        inputs["sid"] = (torch.zeros(2, dtype=torch.long), {0: "batch_size"})
    return inputs


def finished(graph, precision: str, metadata: Mapping[str, object] | None = None) -> bytes:
    """Return the file of a traced graph, in a precision and with metadata."""
    model = with_precision(graph, precision)
    model.producer_name = "hf_vits"
    needed("onnx").helper.set_model_props(model, {name: str(value) for name, value in (metadata or {}).items()})
    return model.SerializeToString()
