"""Values derived from a layer's weights for inference: made at first use, dropped when the weights change."""

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

T = TypeVar("T")
Derive = Callable[[nn.Module], T]

_values: WeakKeyDictionary[nn.Module, dict[Derive, Any]] = WeakKeyDictionary()
"""By layer and function: the tensors that were seen, and what was derived of them."""


def cached(layer: nn.Module, derive: Derive[T]) -> T:
    """
    Return `derive(layer)`, or the value of an earlier call if the layer's tensors are the same.

    Changes are noticed by the tensors' addresses and by PyTorch's count of writes, which writing to `parameter.data`
    does not raise: call `eval()` of the model after that. Values are neither saved nor copied with the layer.
    """
    tensors = layer.parameters() if layer._modules else layer._parameters.values()  # the second way is faster
    tensors = [tensor for tensor in tensors if tensor is not None]
    if not tensors or any(tensor.is_inference() for tensor in tensors):  # replicas, and tensors that count no writes
        return derive(layer)
    held = _values.setdefault(layer, {}).get(derive)
    if held is not None and _are_same(held[0], tensors):
        return held[1]
    # An alias keeps the memory of each tensor, so that no other can get the same address.
    seen = [(tensor.detach(), tensor._version) for tensor in tensors]
    with torch.inference_mode(False), torch.no_grad():
        value = derive(layer)
    _values.setdefault(layer, {})[derive] = seen, value
    return value


def forget(layer: nn.Module) -> None:
    """Drop all values of a layer."""
    _values.pop(layer, None)


def clear() -> None:
    """Drop the values of all layers."""
    _values.clear()


def held(layer: nn.Module) -> bool:
    """Return True if there is a value of the layer."""
    return bool(_values.get(layer))


def _are_same(seen: list[tuple[Tensor, int]], tensors: list[Tensor]) -> bool:
    return len(seen) == len(tensors) and all(
        alias.data_ptr() == tensor.data_ptr() and alias.dtype == tensor.dtype and version == tensor._version
        for (alias, version), tensor in zip(seen, tensors, strict=True)
    )


def is_inference(layer: nn.Module) -> bool:
    """Return True if derived values may replace parameters: neither in training mode nor where gradients may flow."""
    return not (layer.training or torch.is_grad_enabled())
