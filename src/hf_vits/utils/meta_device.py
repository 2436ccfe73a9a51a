"""Build a model on the meta device: its layers and the shapes of its tensors, without memory or values."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

Model = TypeVar("Model", bound=nn.Module)


class WithoutValues(TorchFunctionMode):
    """Skip the computation of initial values of tensors on the meta device, which have none: half the time of building
    a model there."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        initializes = getattr(function, "__module__", None) == "torch.nn.init"
        if initializes or function is torch.norm_except_dim:
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta and initializes:
                return tensor
            if tensor.is_meta and args[1:] == (2, 0):  # weight norm: over all dimensions but the first
                return tensor.new_empty(len(tensor), *[1] * (tensor.dim() - 1))
        return function(*args, **kwargs)


@contextmanager
def meta_device() -> Iterator[None]:
    """Build modules on the meta device inside the context, without initial values."""
    with torch.device("meta"), WithoutValues():
        yield


def skeleton(kind: type[Model], config: Any) -> Model:
    """Create a model of this class and configuration on the meta device."""
    with meta_device():
        return kind(config)
