"""Weight norm, w = g · v / ‖v‖: add it, fold it, and convert between the formats of checkpoints."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from hf_vits.utils.torch_state import ConvNd, weight_norm

NEW_G, NEW_V = ".parametrizations.weight.original0", ".parametrizations.weight.original1"
OLD_G, OLD_V = ".weight_g", ".weight_v"


def add_weight_norm(module: nn.Module) -> nn.Module:
    """Add weight norm to every convolution of a module that has none, and return the module."""
    for part in module.modules():
        if isinstance(part, ConvNd) and not parametrize.is_parametrized(part, "weight"):
            parametrizations.weight_norm(part)
    return module


def fold(g: Tensor, v: Tensor) -> Tensor:
    """g (C, 1, …), v (C, …) -> weight (C, …); the norm is over all dimensions but the first."""
    return weight_norm(v, g)


def unfold(weight: Tensor) -> tuple[Tensor, Tensor]:
    """weight (C, …) -> g (C, 1, …) and v (C, …) with `fold(g, v)` equal to it."""
    g = torch.norm_except_dim(weight, 2, 0)
    return g, torch.where(g == 0, 1, weight)  # v of a filter of zeros must not be 0: fold divides by its norm


def has_zero_filter(v: Tensor) -> bool:
    """Return True if the norm of a filter is 0, so that `fold` would return NaN."""
    return v.dim() > 1 and v.numel() > 0 and not bool(torch.norm_except_dim(v.float(), 2, 0).all())


def match_weight_norm(state_dict: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """Convert each layer to the weight norm format of the `wanted` keys; other keys stay as they are."""
    wanted = set(wanted)
    result = dict(state_dict)
    for key in state_dict:
        for g, v in ((OLD_G, OLD_V), (NEW_G, NEW_V)):
            if key.endswith(g) and key.removesuffix(g) + v in state_dict:
                layer = key.removesuffix(g)
                if layer + OLD_G in state_dict and layer + NEW_G in state_dict:
                    raise ValueError(f"The weight norm of {layer} is stored in both formats; remove one of them.")
                pair = result.pop(layer + g), result.pop(layer + v)
                if layer + NEW_G in wanted or layer + ".weight" not in wanted:
                    result[layer + NEW_G], result[layer + NEW_V] = pair
                else:
                    result[layer + ".weight"] = _fold_checked(layer, *pair)
    for key in [k for k in result if k.endswith(".weight") and k.removesuffix(".weight") + NEW_G in wanted]:
        layer = key.removesuffix(".weight")
        if layer + NEW_G in result:
            raise ValueError(f"The layer {layer} is stored twice, with and without weight norm; remove one of them.")
        result[layer + NEW_G], result[layer + NEW_V] = unfold(result.pop(key))
    return result


def _fold_checked(layer: str, g: Tensor, v: Tensor) -> Tensor:
    if g.shape != (v.shape[0], *[1] * (v.dim() - 1)):
        raise ValueError(f"The weight norm of {layer} has g {tuple(g.shape)} for v {tuple(v.shape)}; they must match.")
    return fold(g, v)
