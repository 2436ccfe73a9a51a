"""What inference derives from a layer's parameters: made when it is first needed, dropped when they change.

And the lengths that it computes with: a CPU's kernels are made anew for each length, and kept.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from hf_vits.utils.torch_state import is_ordinary, is_traced

T = TypeVar("T")


class CachedWeight(Generic[T]):
    """
    A value that follows the tensors of a layer. It is neither saved nor copied.

    Changes are noticed by which tensors they are and by PyTorch's count of writes, which `parameter.data` does not
    raise: after writing there, call `eval()` of the model.
    """

    def __init__(self, derive: Callable[[nn.Module], T]):
        self._derive, self._held = derive, None

    def of(self, layer: nn.Module) -> T:
        """The value for the layer's tensors as they are now."""
        tensors = layer.parameters() if layer._modules else layer._parameters.values()  # seldom the slow way
        tensors = [tensor for tensor in tensors if tensor is not None]
        if not tensors or any(tensor.is_inference() for tensor in tensors):  # copies, and tensors that count no writes
            return self._derive(layer)
        held = self._held  # read once: another thread may forget it meanwhile
        if held is not None and _are_the_same(held[0], tensors):
            return held[1]
        # An alias keeps the memory of each tensor, so that no other can come to lie where it was.
        seen = [(tensor.detach(), tensor._version) for tensor in tensors]
        with torch.inference_mode(False), torch.no_grad():
            value = self._derive(layer)
        self._held = (seen, value)
        return value

    def forget(self) -> None:
        """Drops the value."""
        self._held = None

    def __reduce__(self):
        """Copies and pickles begin without a value."""
        return type(self), (self._derive,)


class Prepares(nn.Module):
    """A layer with `Prepared` attributes, which are dropped when its mode, device or type changes."""

    def train(self, mode: bool = True) -> "Prepares":
        """As in every module."""
        self._forget()
        return super().train(mode)

    def _apply(self, *args, **kwargs) -> "Prepares":
        self._forget()
        return super()._apply(*args, **kwargs)

    def _forget(self) -> None:
        for value in vars(self).values():
            if isinstance(value, CachedWeight):
                value.forget()


def _are_the_same(seen: list[tuple[Tensor, int]], tensors: list[Tensor]) -> bool:
    return len(seen) == len(tensors) and all(
        alias.data_ptr() == tensor.data_ptr() and alias.dtype == tensor.dtype and version == tensor._version
        for (alias, version), tensor in zip(seen, tensors, strict=True)
    )


def may_be_used(layer: nn.Module) -> bool:
    """Whether derived values may stand in for parameters: not while learning, nor while a graph is traced."""
    return not (layer.training or torch.is_grad_enabled() or is_traced())


def is_plain(signal: Tensor) -> bool:
    """Whether operations that write to given memory may make something of a signal: on a CPU, without wrappers, maps or
    tangents."""
    return signal.device.type == "cpu" and is_unwrapped(signal)


def is_unwrapped(signal: Tensor) -> bool:
    """Whether a signal is one of numbers and, at most, of backward gradients: what an `autograd.Function` takes."""
    return not is_traced() and is_ordinary(signal)


def prepared_length(layer: nn.Module, signal: Tensor) -> int:
    """signal (…, T) -> to how many samples it is padded to speak: 16 lengths between powers of two, of 8 at least."""
    length = signal.shape[-1]
    if signal.device.type != "cpu" or not may_be_used(layer):
        return length
    step = max(8, 1 << max(0, length.bit_length() - 5))
    return -(-length // step) * step
