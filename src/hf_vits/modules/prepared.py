"""What inference derives from a layer's parameters: made when it is first needed, dropped when they change.

And the lengths that it computes with: a CPU's kernels are made anew for each length, and kept.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")


class Prepared(Generic[T]):
    """
    A value that follows the parameters of a layer. It is neither saved nor copied.

    Changes are noticed by PyTorch's count of writes, which `parameter.data` does not raise: after writing there, call
    `forget`, as `train()` and `eval()` of a decoder do.
    """

    def __init__(self, derive: Callable[[nn.Module], T]):
        self._derive, self._seen, self._value = derive, None, None

    def of(self, layer: nn.Module) -> T:
        """The value for the layer's parameters as they are now."""
        parameters = list(layer.parameters())
        if any(parameter.is_inference() for parameter in parameters):  # whose writes are not counted
            return self._derive(layer)
        seen = [(parameter.data_ptr(), parameter._version, parameter.dtype) for parameter in parameters]
        if seen != self._seen:
            with torch.inference_mode(False), torch.no_grad():
                self._value = self._derive(layer)
            self._seen = seen
        return self._value

    def forget(self) -> None:
        """Drops the value."""
        self._seen = self._value = None

    def __reduce__(self):
        """Copies and pickles begin without a value."""
        return type(self), (self._derive,)


def may_be_used(layer: nn.Module) -> bool:
    """Whether derived values may stand in for parameters: not while learning, nor while a graph is traced."""
    tracing = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return not (layer.training or torch.is_grad_enabled() or tracing)


def prepared_length(layer: nn.Module, signal: Tensor) -> int:
    """signal (…, T) -> to how many samples it is padded to speak: 16 lengths between powers of two, of 8 at least.

    Making the kernels of a new length takes a fifth of the time that a sentence does.
    """
    length = signal.shape[-1]
    if signal.device.type != "cpu" or not may_be_used(layer):
        return length
    step = max(8, 1 << max(0, length.bit_length() - 5))
    return -(-length // step) * step
