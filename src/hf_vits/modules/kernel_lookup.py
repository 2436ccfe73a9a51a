"""Run a function in its plain form, or in the faster form that the package `hf_vits.kernels` has for it.

This is the only place where modules meet kernels: without that package every function runs in its plain form.
"""

from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

import torch
from torch import nn

from hf_vits.utils.torch_state import is_traced

Function = TypeVar("Function", bound=Callable)

HAS_KERNELS = find_spec("hf_vits.kernels") is not None

find = cache(import_module)


def has_kernel(module: str, name: str, for_gradients: bool = False) -> Callable[[Function], Function]:
    """
    Decorate a function that `hf_vits.kernels.<module>.<name>` may replace.

    The kernel takes the plain function and then its arguments, and returns what the plain function does, to rounding.
    It calls the plain function where it is no faster. While a graph is traced, only plain functions run; also without
    gradients, if the kernel is only `for_gradients`.
    """

    def decorate(plain: Function) -> Function:
        if not HAS_KERNELS:
            return plain

        @wraps(plain)
        def run(*args: Any, **kwargs: Any) -> Any:
            is_useless = for_gradients and not torch.is_grad_enabled()
            if is_useless or is_traced() or not find("hf_vits.kernels").enabled:
                return plain(*args, **kwargs)
            return getattr(find(f"hf_vits.kernels.{module}"), name)(plain, *args, **kwargs)

        return run

    return decorate


class KernelLayer(nn.Module):
    """A layer of whose weights kernels may keep another form, which is dropped when mode, device or dtype changes."""

    def train(self, mode: bool = True) -> "KernelLayer":
        """Do as every module."""
        forget_weights(self)
        return super().train(mode)

    def _apply(self, *args: Any, **kwargs: Any) -> "KernelLayer":
        forget_weights(self)
        return super()._apply(*args, **kwargs)


def forget_weights(layer: nn.Module) -> None:
    """Drop what kernels keep of a layer's weights."""
    if HAS_KERNELS:
        find("hf_vits.kernels.conv1d").clear_cache_of(layer)
