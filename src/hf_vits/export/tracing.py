"""A module to an ONNX model: traced once, right for every length, its weights under the original repository's names."""

import importlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

import torch
from torch import Tensor, nn

from hf_vits.export.original_names import original_name

OPSET = 17
"""The first in which a layer norm is one operator; onnxruntime knows it from 1.12 on."""

IR_VERSION = 8
"""The file format of that time."""

WEIGHTED = ("Conv", "ConvTranspose", "Gather", "MatMul", "LayerNormalization")
"""Operators that are named after the module whose weight they hold, as readers of such files expect."""

Axes = Mapping[int, str]
"""Names of the dimensions that vary."""


def needed(package: str) -> ModuleType:
    """The package onnx or onnxruntime; `ImportError` that says how to install it if it is not there."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f'Exporting to ONNX needs the package {package}: `pip install "hf_vits[phonemes,onnx]"`.'
        ) from error


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
    with torch.no_grad(), _more_operators(), warnings.catch_warnings():
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
    names = {tensor.name: original_name(tensor.name) for tensor in graph.initializer}
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
