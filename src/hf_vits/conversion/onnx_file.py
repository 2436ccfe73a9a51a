"""Reads an ONNX file without running it: its nodes and stored tensors, from nowhere outside of its folder."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

PROTOBUF_FIELDS = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72})
"""First bytes of the fields that may follow a model's version: producer, domain, graph and so on."""


def looks_like_onnx(head: bytes) -> bool:
    """Whether a file that begins with these bytes claims to be an ONNX model: version first, then one of its fields."""
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
        """The attribute's value, or ONNX's default for it, which the caller knows; an empty list is the default too."""
        value = self.attributes.get(name, default)
        return default if isinstance(value, list) and not value else value


class Graph:
    """The nodes of a model, nested ones among them, and the tensors stored in it.

    `stored` are tensors by the name they are kept under; `tensors` adds the names that `Identity` and `Cast` give them.
    """

    def __init__(self, path: Path, proto):
        """`proto` is the graph of the model that was read from `path`."""
        self.path = path
        self.nodes: list[Node] = []
        self.stored: dict[str, Any] = {}
        self.tensors: dict[str, str] = {}
        self._arrays: dict[str, np.ndarray] = {}
        self._walk(proto)
        self.tensors |= {name: name for name in self.stored}
        for node in self.nodes:
            if node.kind in ("Identity", "Cast") and node.inputs[0] in self.tensors:
                self.tensors[node.outputs[0]] = self.tensors[node.inputs[0]]

    @classmethod
    def read(cls, path: Path) -> "Graph":
        """
        Reads a file and the external data it names, if that lies in the same folder.

        Raises:
            ImportError: without the package onnx.
            ValueError: if the file is truncated or no ONNX model, or names data that is missing or lies elsewhere.
        """
        onnx = _onnx()
        from google.protobuf.message import DecodeError

        try:
            model = onnx.load_model_from_string(path.read_bytes(), format="protobuf")
        except DecodeError as error:
            raise ValueError(f"{path} is not a readable ONNX model; it may be truncated. Fetch it again.") from error
        if not model.graph.node:
            raise ValueError(f"{path} holds no graph; it is no ONNX model, or truncated. Fetch it again.")
        return cls(path, model.graph)

    def array(self, tensor: str) -> np.ndarray:
        """The values of a stored tensor in float32; raises `ValueError` if they are damaged or quantized."""
        base = self.tensors[tensor]
        if base not in self._arrays:
            self._arrays[base] = self._decoded(base)
        return self._arrays[base]

    def shape(self, tensor: str) -> tuple[int, ...]:
        """The shape of a stored tensor."""
        return tuple(self.stored[self.tensors[tensor]].dims)

    def base(self, tensor: str) -> str:
        """The name a tensor is stored under."""
        return self.tensors[tensor]

    def is_constant(self, tensor: str) -> bool:
        """Whether a stored tensor is arithmetic of the graph rather than a weight: indices, flags, or one number."""
        proto = _onnx().TensorProto
        whole = (proto.INT64, proto.INT32, proto.BOOL)
        return self.stored[self.tensors[tensor]].data_type in whole or np.prod(self.shape(tensor), dtype=float) <= 1

    def users(self, node: Node) -> list[Node]:
        """The nodes that take an output of this one."""
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
        self.stored |= {tensor.name: tensor for tensor in graph.initializer}
        for proto in graph.node:
            attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in proto.attribute}
            if proto.op_type == "Constant" and isinstance(attributes.get("value"), onnx.TensorProto):
                self.stored[proto.output[0]] = attributes["value"]
            self.nodes.append(Node(proto.op_type, proto.name, tuple(proto.input), tuple(proto.output), attributes))
            for value in attributes.values():
                if isinstance(value, onnx.GraphProto):
                    self._walk(value)

    def _decoded(self, name: str) -> np.ndarray:
        onnx, tensor = _onnx(), self.stored[name]
        if tensor.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8):
            raise ValueError(f"{name} of {self.path} is quantized to 8 bits; convert the voice's float32 file instead.")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            self._check_external(tensor)
        try:
            # A copy: the file's bytes are read-only.
            return np.array(onnx.numpy_helper.to_array(tensor, str(self.path.parent)), dtype=np.float32)
        except (ValueError, TypeError, OSError, onnx.checker.ValidationError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"The tensor {name} of {self.path} cannot be read ({reason}). Fetch it again.") from error

    def _check_external(self, tensor) -> None:
        """A voice may name files; only real ones in its own folder are opened."""
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        folder = self.path.parent.resolve()
        file = (folder / location).resolve()
        if not location or not file.is_relative_to(folder):
            raise ValueError(
                f"{self.path} keeps its tensor {tensor.name} in {location!r}, outside of the voice's folder; that file "
                "was not opened. Do not trust this voice."
            )
        if not file.is_file():
            raise ValueError(f"{self.path} keeps its tensor {tensor.name} in {file.name}, which is not beside it.")


def _onnx():
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError("Reading an .onnx file needs the package onnx: `pip install hf_vits[onnx]`.") from error
    return onnx
