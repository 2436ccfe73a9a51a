"""Read the weights of an ONNX graph under their names in PyTorch, by name and by position in the graph.

Exporters rename what they fold: a convolution whose weight norm was folded has an anonymous weight, equal tensors are
stored once, and so on. Nodes remain: most have the path of their module, and a convolution's bias keeps its name.
"""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_vits.utils.files import read_bytes, roots
from hf_vits.utils.formatting import listed

PROTOBUF_FIELDS = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72})
"""First bytes of the fields that may follow a model's version: producer, domain, graph and so on."""

LARGEST = 2**31
"""Largest number of bytes of a file, which is the limit of protobuf."""

LEAST_INPUTS = {
    **{"Constant": 0, "Identity": 1, "Cast": 1, "Pad": 1, "LeakyRelu": 1},
    **{"Conv": 2, "ConvTranspose": 2, "Gather": 2, "Sub": 2, "Mul": 2, "Add": 2, "LayerNormalization": 2},
}
"""Operators that are read, and how many inputs each needs; all of them have an output."""

ATTRIBUTES = {
    **dict.fromkeys(("Conv", "ConvTranspose"), {"strides": "INTS", "dilations": "INTS", "group": "INT"}),
    "LeakyRelu": {"alpha": "FLOAT"},
    "Constant": {"value": "TENSOR"},
}
"""Attributes that are read, by operator, and the type each must have."""


def looks_like_onnx(head: bytes) -> bool:
    """Return whether a file that begins so claims to be an ONNX model: version first, then one of its fields."""
    return len(head) >= 3 and head[0] == 0x08 and 0 < head[1] < 0x40 and head[2] in PROTOBUF_FIELDS


@dataclass(frozen=True)
class Node:
    """One operator of the graph."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute, or ONNX's default for it, also for an empty list."""
        value = self.attributes.get(name, default)
        return default if isinstance(value, list) and not value else value


class Graph:
    """
    The nodes of a model, including nested ones, and the tensors stored in it.

    `stored` are tensors by their name in the file; `tensors` maps to it also the names that `Identity` and `Cast` add.
    """

    def __init__(self, path: Path, proto):
        """Keep the graph `proto` of the model that was read from `path`."""
        self.path = path
        self.nodes: list[Node] = []
        self.stored: dict[str, Any] = {}
        self.tensors: dict[str, str] = {}
        self._arrays: dict[str, np.ndarray] = {}
        self._walk(proto)
        self.tensors |= {name: name for name in self.stored}
        for node in self.nodes:
            if node.kind in ("Identity", "Cast") and node.inputs[0] in self.tensors:
                base = self.tensors[node.inputs[0]]
                if self.tensors.setdefault(node.outputs[0], base) != base:
                    raise self._damage(f"two tensors are called {node.outputs[0]}")

    @classmethod
    def read(cls, path: Path) -> "Graph":
        """
        Read a file and the external data it names, if that is in the same folder.

        Raises:
            ImportError: without the package onnx.
            ValueError: if the file is truncated, damaged or not an ONNX model.
        """
        onnx = _onnx()
        from google.protobuf.message import DecodeError

        try:
            model = onnx.load_model_from_string(read_bytes(path, LARGEST), format="protobuf")
        except DecodeError as error:
            raise ValueError(f"{path} is not a readable ONNX model; it may be truncated. Fetch it again.") from error
        if not model.graph.node:
            raise ValueError(f"{path} holds no graph; it is not an ONNX model, or truncated. Fetch it again.")
        return cls(path, model.graph)

    def array(self, tensor: str) -> np.ndarray:
        """Return a stored tensor in float32; raises `ValueError` if it is damaged or quantized."""
        base = self.tensors[tensor]
        if base not in self._arrays:
            self._arrays[base] = self._decoded(base)
        return self._arrays[base]

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return the shape of a stored tensor."""
        return tuple(self.stored[self.tensors[tensor]].dims)

    def base(self, tensor: str) -> str:
        """Return the name that a tensor is stored under."""
        return self.tensors[tensor]

    def kind(self, tensor: str) -> str:
        """Return the type of a stored tensor, by its name in NumPy."""
        return _onnx().helper.tensor_dtype_to_np_dtype(self.stored[self.tensors[tensor]].data_type).name

    def is_constant(self, tensor: str) -> bool:
        """Return whether a stored tensor is a constant rather than a weight: indices, flags, or one number."""
        proto = _onnx().TensorProto
        whole = (proto.INT64, proto.INT32, proto.BOOL)
        return self.stored[self.tensors[tensor]].data_type in whole or np.prod(self.shape(tensor), dtype=float) <= 1

    def users(self, node: Node) -> list[Node]:
        """Return the nodes that take an output of this one."""
        return [user for output in node.outputs for user in self._users.get(output, ())]

    @cached_property
    def _users(self) -> dict[str, list[Node]]:
        users: dict[str, list[Node]] = {}
        for node in self.nodes:
            for tensor in dict.fromkeys(node.inputs):
                users.setdefault(tensor, []).append(node)
        return users

    def _walk(self, graph) -> None:
        onnx = _onnx()
        if graph.sparse_initializer:
            raise ValueError(f"{self.path} stores sparse tensors; no exporter of VITS voices does. Export it anew.")
        for tensor in graph.initializer:
            self._store(tensor.name, tensor)
        for proto in graph.node:
            node = self._node(proto)
            if node.kind == "Constant" and "value" in node.attributes:
                self._store(node.outputs[0], node.attributes["value"])
            self.nodes.append(node)
            for value in node.attributes.values():
                if isinstance(value, onnx.GraphProto):
                    self._walk(value)

    def _store(self, name: str, tensor) -> None:
        self._check_names(name)
        if any(size < 0 for size in tensor.dims):
            raise self._damage(f"the tensor {name} has the shape {list(tensor.dims)}")
        held = self.stored.setdefault(name, tensor)
        if held is not tensor and _content(held) != _content(tensor):
            raise self._damage(f"two tensors are called {name}")

    def _node(self, proto) -> Node:
        """Return the node if everything that is read later exists and has its type."""
        onnx, kind = _onnx(), proto.op_type
        self._check_names(kind, proto.name, *proto.input, *proto.output, *(part.name for part in proto.attribute))
        called = f"the node {proto.name or '(no name)'} of type {kind}"
        if kind in LEAST_INPUTS and (len(proto.input) < LEAST_INPUTS[kind] or not proto.output):
            raise self._damage(f"{called} has {len(proto.input)} inputs and {len(proto.output)} outputs")
        attributes = {}
        for part in proto.attribute:
            found = onnx.AttributeProto.AttributeType.Name(part.type)
            wanted = ATTRIBUTES.get(kind, {}).get(part.name, found)
            if found != wanted or found == "UNDEFINED" or part.ref_attr_name:
                raise self._damage(f"the attribute {part.name} of {called} is not a value of type {wanted}")
            attributes[part.name] = onnx.helper.get_attribute_value(part)
        return Node(kind, proto.name, tuple(proto.input), tuple(proto.output), attributes)

    def _check_names(self, *names) -> None:
        for name in names:
            if not isinstance(name, str):  # protobuf gives what is not UTF-8 as bytes
                raise self._damage(f"the name {name!r} is not UTF-8")

    def _damage(self, what: str) -> ValueError:
        return ValueError(f"{self.path} is damaged: {what}. Fetch it again.")

    def _decoded(self, name: str) -> np.ndarray:
        onnx, tensor = _onnx(), self.stored[name]
        if tensor.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8):
            raise ValueError(f"{name} of {self.path} is quantized to 8 bits; convert the voice's float32 file instead.")
        if tensor.data_type not in onnx.TensorProto.DataType.values():
            raise self._damage(f"the tensor {name} is of the type {tensor.data_type}, which ONNX does not have")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            self._check_external(tensor)
        try:
            # A copy: the file's bytes are read-only.
            return np.array(onnx.numpy_helper.to_array(tensor, str(self.path.parent)), dtype=np.float32)
        except (ValueError, TypeError, LookupError, OSError, onnx.checker.ValidationError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"The tensor {name} of {self.path} cannot be read ({reason}). Fetch it again.") from error

    def _check_external(self, tensor) -> None:
        """Raise `ValueError` unless the external data of a tensor is a file in the folder of the voice."""
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        self._check_names(location)
        folder = Path(os.path.realpath(self.path.parent))
        try:
            file = Path(os.path.realpath(folder / location))
            there = file.is_file()
        except (OSError, ValueError) as error:  # too long, a null character, a circle of links
            raise self._damage(f"its tensor {tensor.name} lies in {location[:60]!r}, which names no file") from error
        if not location or not any(file.is_relative_to(root) for root in roots(folder)):
            raise ValueError(
                f"{self.path} keeps its tensor {tensor.name} in {location!r}, outside of the voice's folder; that file "
                "was not opened. Do not trust this voice."
            )
        if not there:
            raise ValueError(f"{self.path} keeps its tensor {tensor.name} in {file.name}, which is not beside it.")
        if (size := file.stat().st_size) > LARGEST:
            raise ValueError(f"{file} has {size:,} bytes; at most {LARGEST:,} are read. Fetch it again.")


def _content(tensor) -> dict[str, Any]:
    return {field.name: value for field, value in tensor.ListFields() if field.name not in ("name", "doc_string")}


def _onnx():
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError(
            'Reading an .onnx file needs the package onnx: `pip install "hf_vits[phonemes,onnx]"`.'
        ) from error
    return onnx


CONVOLUTIONS = ("Conv", "ConvTranspose")
NORM = r"(?:.*\.)?norm(?:s|_layers)?_[12](?:\.\d+)?"
PLACES = (
    ("Conv", 1, r".*", "weight"),
    ("Conv", 2, r".*", "bias"),
    ("ConvTranspose", 1, r".*", "weight"),
    ("ConvTranspose", 2, r".*", "bias"),
    ("Gather", 0, r"enc_p\.emb|emb_g", "weight"),
    ("LayerNormalization", 1, r".*", "gamma"),
    ("LayerNormalization", 2, r".*", "beta"),
    ("Mul", None, NORM, "gamma"),
    ("Add", None, NORM, "beta"),
    ("Sub", 1, r"dp\.flows\.0", "m"),
)
"""Operator, position among its inputs (None: any), pattern of modules, and the parameter at that position."""

LOOKED_UP = {"input": "enc_p.emb.weight", "sid": "emb_g.weight"}
"""Inputs of a voice's graph, and the table that each indexes."""

PARAMETER = r"\.(?:weight|bias|weight_[gv]|parametrizations\.weight\.original[01]|gamma|beta)"


@dataclass(frozen=True)
class Convolution:
    """The settings of a convolution that the shape of its weight does not determine."""

    stride: int
    dilation: int
    groups: int


@dataclass
class OnnxWeights:
    """
    Weights by PyTorch name in float32, and convolutions by module. `constants` is the number of tensors that are not
    weights, and `kinds` are the types that weights were stored in.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    convolutions: dict[str, Convolution] = field(default_factory=dict)
    slopes: set[float] = field(default_factory=set)
    constants: int = 0
    kinds: frozenset[str] = frozenset()


def read_weights(path: Path, roots: Collection[str]) -> OnnxWeights:
    """
    Read all weights of an ONNX file.

    Args:
        path (`Path`):
            The file.
        roots (`Collection[str]`):
            First parts of the names of the model's tensors.

    Raises:
        ImportError: without the package onnx.
        ValueError: if the file is damaged or quantized, if two tensors match one name, or if one that could be a
            weight matches none.
    """
    graph = Graph.read(path)
    finder = _Finder(graph, roots)
    finder.find()
    tensors = {name: torch.from_numpy(finder.array(name)) for name in finder.claims}
    slopes = {round(node.attribute("alpha", 0.01), 6) for node in graph.nodes if node.kind == "LeakyRelu"}
    return OnnxWeights(tensors, finder.convolutions, slopes, finder.account_for_rest(), finder.kinds())


class _Finder:
    """Find the stored tensor of each parameter."""

    def __init__(self, graph: Graph, roots: Collection[str]):
        names = "|".join(roots)
        self.graph = graph
        self.own_name = re.compile(rf"(?:\w+\.)*?((?:{names})(?:\.\w+)+)")
        self.root = re.compile(rf"(?:{names})(?:\.\w+)*")
        self.claims: dict[str, tuple[str, bool]] = {}  # parameter -> tensor, whether it holds exp(-parameter)
        self.convolutions: dict[str, Convolution] = {}

    def find(self) -> None:
        """Match by the tensors' own names, then by the nodes that use them."""
        for tensor in self.graph.tensors:
            if name := self._parameter(tensor):
                self._claim(name, tensor)
        for node in self.graph.nodes:
            module = self._module(node)
            if module and node.kind in CONVOLUTIONS:
                self.convolutions[module] = Convolution(
                    node.attribute("strides", [1])[-1], node.attribute("dilations", [1])[-1], node.attribute("group", 1)
                )
            for position, tensor in self._candidates(node):
                if name := self._by_place(node, position, module):
                    self._claim(name, tensor)
        self._find_relative_positions()
        self._find_scale()

    def array(self, name: str) -> np.ndarray:
        """Return a parameter in float32."""
        tensor, inverted = self.claims[name]
        values = self.graph.array(tensor)
        if not inverted:
            return values
        if not (values > 0).all():
            raise ValueError(f"The graph's {tensor} should hold exponentials, but has values of 0 and less.")
        return -np.log(values)

    def kinds(self) -> frozenset[str]:
        """Return the types that the parameters are stored in."""
        return frozenset(self.graph.kind(tensor) for tensor, _ in self.claims.values())

    def account_for_rest(self) -> int:
        """Return the number of tensors that are not weights; raises `ValueError` for one that could be."""
        used = {self.graph.base(tensor) for tensor, _ in self.claims.values()}
        rest = [tensor for tensor in self.graph.stored if tensor not in used]
        unknown = [
            f"{tensor} {list(self.graph.shape(tensor))}" for tensor in rest if not self.graph.is_constant(tensor)
        ]
        if unknown:
            raise ValueError(
                f"{len(unknown)} tensors of {self.graph.path.name} have no place in a VITS voice that is known here: "
                f"{listed(unknown)}. Nothing was converted; convert the checkpoint it was exported from instead."
            )
        return len(rest)

    def _claim(self, name: str, tensor: str, inverted: bool = False) -> None:
        held, _ = self.claims.setdefault(name, (tensor, inverted))
        if self.graph.base(held) != self.graph.base(tensor):
            raise ValueError(
                f"Both {held} and {tensor} of {self.graph.path.name} stand where {name} belongs; the graph was changed "
                "after its export. Convert the checkpoint it was exported from instead."
            )

    def _parameter(self, tensor: str) -> str | None:
        """Return the parameter that a tensor is named after."""
        match = self.own_name.fullmatch(tensor)
        return match[1] if match else None

    def _module(self, node: Node) -> str | None:
        """Return the module that a node computes: by the node's path, its weights' names, or the next node."""
        parts = node.name.strip("/").split("/")[:-1]
        for start, part in enumerate(parts):
            if self.root.fullmatch(path := ".".join(parts[start:])) and self.root.fullmatch(part):
                return path
        for tensor in node.inputs[1:3] if node.kind in CONVOLUTIONS else ():
            if (name := self._parameter(tensor)) and re.search(PARAMETER + "$", name):
                return re.sub(PARAMETER + "$", "", name)
        if node.kind == "Conv" and any(user.kind == "Tanh" for user in self.graph.users(node)):
            return "dec.conv_post"
        return None

    def _candidates(self, node: Node) -> Iterator[tuple[int, str]]:
        """Yield inputs of a node that could be weights: stored, and more than one number unless a convolution's."""
        for position, tensor in enumerate(node.inputs):
            if tensor in self.graph.tensors and (node.kind in CONVOLUTIONS or not self.graph.is_constant(tensor)):
                yield position, tensor

    def _by_place(self, node: Node, position: int, module: str | None) -> str | None:
        if node.kind == "Gather" and position == 0 and node.inputs[1] in LOOKED_UP:
            return LOOKED_UP[node.inputs[1]]
        for kind, place, modules, parameter in PLACES:
            if module and node.kind == kind and place in (position, None) and re.fullmatch(modules, module):
                return f"{module}.{parameter}"
        return None

    def _find_relative_positions(self) -> None:
        """Match relative positions: attention pads its table for keys, then its table for values."""
        for node in self.graph.nodes:
            module = self._module(node)
            if node.kind != "Pad" or not module or ".attn_layers." not in module:
                continue
            for _, tensor in self._candidates(node):
                if self._parameter(tensor) is None and tensor not in {held for held, _ in self.claims.values()}:
                    name = f"{module}.emb_rel_k"
                    self._claim(name if name not in self.claims else f"{module}.emb_rel_v", tensor)

    def _find_scale(self) -> None:
        """Match the scale of the duration flow: its affine layer in reverse is (x - m) · exp(-logs), often folded."""
        if "dp.flows.0.logs" in self.claims or "dp.flows.0.m" not in self.claims:
            return
        shift = self.claims["dp.flows.0.m"][0]
        for node in self.graph.nodes:
            subtracted = node.inputs[1] if node.kind == "Sub" else None
            if subtracted in self.graph.tensors and self.graph.base(subtracted) == self.graph.base(shift):
                for user in self.graph.users(node):
                    for _, tensor in self._candidates(user) if user.kind == "Mul" else ():
                        self._claim("dp.flows.0.logs", tensor, inverted=True)
