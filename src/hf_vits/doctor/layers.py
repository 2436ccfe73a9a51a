"""Tensors by layer: which spelling of weight norm each has, and the shape that its weight has in any of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V

Shape = tuple[int, ...]

PAIRS = {"old": (OLD_G, OLD_V), "new": (NEW_G, NEW_V)}

NORMED = re.compile(r".*\.wavenet\.(in_layers\.\d+|res_skip_layers\.\d+|cond_layer)")
"""Layers that stock transformers holds with weight norm; it holds all others plain."""


@dataclass(frozen=True)
class Layers:
    """
    Args:
        shapes (`dict[str, Shape]`):
            Of every tensor under its name without weight norm; that of a half of a pair is left out.
        spelling (`dict[str, set[str]]`):
            For each layer with a weight, how it is stored: `"old"` is `weight_g` and `weight_v`, `"new"`
            `parametrizations.weight.original0` and `1`, `"plain"` one tensor.
        halves (`list[str]`):
            Tensors of a pair whose other half is missing.
        unfit (`list[str]`):
            Layers whose g does not belong to their v.
    """

    shapes: dict[str, Shape] = field(default_factory=dict)
    spelling: dict[str, set[str]] = field(default_factory=dict)
    halves: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)

    def spelt(self, way: str, normed: bool) -> list[str]:
        """Layers stored that way alone, of those that stock transformers holds with weight norm, or of the others."""
        return [
            name for name, ways in self.spelling.items() if ways == {way} and bool(NORMED.fullmatch(name)) == normed
        ]

    @property
    def twice(self) -> list[str]:
        """Layers that are stored in more than one way."""
        return [layer for layer, ways in self.spelling.items() if len(ways) > 1]


def layers_of(shapes: Mapping[str, Shape]) -> Layers:
    """Takes names apart; no values are needed."""
    found = Layers()
    for name, shape in shapes.items():
        pair = next(
            ((way, g, v, name[: -len(end)]) for way, (g, v) in PAIRS.items() for end in (g, v) if name.endswith(end)),
            None,
        )
        if pair is None:
            found.shapes[name] = shape
            if name.endswith(".weight"):
                found.spelling.setdefault(name.removesuffix(".weight"), set()).add("plain")
            continue
        way, g, v, layer = pair
        if layer + g not in shapes or layer + v not in shapes:
            found.halves.append(name)
            continue
        found.spelling.setdefault(layer, set()).add(way)
        found.shapes[layer + ".weight"] = weight = shapes[layer + v]
        if name.endswith(g) and shape != (*weight[:1], *[1] * (len(weight) - 1)):
            found.unfit.append(layer)
    return found
