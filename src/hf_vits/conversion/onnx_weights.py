"""Weights of an ONNX graph under the names their modules had in PyTorch, found by name and by place in the graph.

Exporters rename what they fold: a convolution whose weight norm was folded has an anonymous weight, equal tensors are
stored once, and so on. Nodes still tell: most carry the path of their module, and a convolution's bias keeps its name.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hf_vits.conversion.onnx_file import Graph, Node
from hf_vits.wording import listed

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
"""Operator, position among its inputs (None: any), module: the parameter of the module that stands there."""

LOOKED_UP = {"input": "enc_p.emb.weight", "sid": "emb_g.weight"}
"""Inputs of a voice's graph, and the table that each is an index into."""

PARAMETER = r"\.(?:weight|bias|weight_[gv]|parametrizations\.weight\.original[01]|gamma|beta)"


@dataclass(frozen=True)
class Convolution:
    """What a convolution does and its weight does not show."""

    stride: int
    dilation: int
    groups: int


@dataclass
class OnnxWeights:
    """
    `tensors` by PyTorch name in float32, `convolutions` by module; `constants` counts what is not a weight, and
    `kinds` are the types that the weights were kept in.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    convolutions: dict[str, Convolution] = field(default_factory=dict)
    slopes: set[float] = field(default_factory=set)
    constants: int = 0
    kinds: frozenset[str] = frozenset()


def read_weights(path: Path, roots: Collection[str]) -> OnnxWeights:
    """
    All weights of an ONNX file.

    Args:
        path (`Path`):
            The file.
        roots (`Collection[str]`):
            First parts of the names of the model's tensors.

    Raises:
        ImportError: without the package onnx.
        ValueError: if the file is damaged or quantized, if two tensors claim one name, or if one that could be a weight
            has no name that can be told.
    """
    graph = Graph.read(path)
    finder = _Finder(graph, roots)
    finder.find()
    tensors = {name: torch.from_numpy(finder.array(name)) for name in finder.claims}
    slopes = {round(node.attribute("alpha", 0.01), 6) for node in graph.nodes if node.kind == "LeakyRelu"}
    return OnnxWeights(tensors, finder.convolutions, slopes, finder.account_for_rest(), finder.kinds())


class _Finder:
    """Collects claims: which stored tensor is which parameter."""

    def __init__(self, graph: Graph, roots: Collection[str]):
        names = "|".join(roots)
        self.graph = graph
        self.own_name = re.compile(rf"(?:\w+\.)*?((?:{names})(?:\.\w+)+)")
        self.root = re.compile(rf"(?:{names})(?:\.\w+)*")
        self.claims: dict[str, tuple[str, bool]] = {}  # parameter -> tensor, whether it holds exp(-parameter)
        self.convolutions: dict[str, Convolution] = {}

    def find(self) -> None:
        """By the tensors' own names, then by the nodes that use them."""
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
        """The parameter's values in float32."""
        tensor, inverted = self.claims[name]
        values = self.graph.array(tensor)
        if not inverted:
            return values
        if not (values > 0).all():
            raise ValueError(f"The graph's {tensor} should hold exponentials, but has values of 0 and less.")
        return -np.log(values)

    def kinds(self) -> frozenset[str]:
        """The types that the parameters are kept in."""
        return frozenset(self.graph.kind(tensor) for tensor, _ in self.claims.values())

    def account_for_rest(self) -> int:
        """How many tensors are no weights; raises `ValueError` for one that could be."""
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
        """The parameter that a tensor's own name says it is."""
        match = self.own_name.fullmatch(tensor)
        return match[1] if match else None

    def _module(self, node: Node) -> str | None:
        """The module that a node computes: by the node's path, by its weights' names, or by what follows."""
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
        """Inputs of a node that could be weights: stored, and of more than one number if not a convolution's."""
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
        """Attention pads its table for keys, then its table for values."""
        for node in self.graph.nodes:
            module = self._module(node)
            if node.kind != "Pad" or not module or ".attn_layers." not in module:
                continue
            for _, tensor in self._candidates(node):
                if self._parameter(tensor) is None and tensor not in {held for held, _ in self.claims.values()}:
                    name = f"{module}.emb_rel_k"
                    self._claim(name if name not in self.claims else f"{module}.emb_rel_v", tensor)

    def _find_scale(self) -> None:
        """The duration flow's affine layer in reverse is (x - m) · exp(-logs); the exponential is often folded."""
        if "dp.flows.0.logs" in self.claims or "dp.flows.0.m" not in self.claims:
            return
        shift = self.claims["dp.flows.0.m"][0]
        for node in self.graph.nodes:
            if node.kind == "Sub" and self._is_same(node.inputs[1], shift):
                for user in self.graph.users(node):
                    for _, tensor in self._candidates(user) if user.kind == "Mul" else ():
                        self._claim("dp.flows.0.logs", tensor, inverted=True)

    def _is_same(self, tensor: str, other: str) -> bool:
        return tensor in self.graph.tensors and self.graph.base(tensor) == self.graph.base(other)
