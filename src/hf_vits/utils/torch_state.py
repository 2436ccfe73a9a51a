"""PyTorch's state: questions about it, tensors and modules, and the choice between plain functions and kernels by it.

This is the only place where other packages meet `hf_vits.kernels`: without it every function runs in its plain form.

Private names used, and why: `torch._C._are_functorch_transforms_active`, `torch._C._functorch.is_legacy_batchedtensor`
and `forward_ad._current_level` tell of `vmap`, `is_grads_batched` and forward gradients. PyTorch has no public
functions for these. `torch._weight_norm` is the operation of PyTorch's own parametrization. `_ConvNd` is the class that
all convolutions have in common. Besides, `kernels.products` uses some for products, `export.onnx_graph` for graphs.
"""

from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules.conv import _ConvNd

ConvNd = _ConvNd
"""Convolutions of any number of dimensions, transposed ones included."""

Function = TypeVar("Function", bound=Callable)

HAS_KERNELS = find_spec("hf_vits.kernels") is not None

find = cache(import_module)


def is_traced() -> bool:
    """Return True while `torch.compile`, `torch.export` or the ONNX exporter records a graph."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def is_transformed() -> bool:
    """Return True inside `torch.func` transforms and forward-mode differentiation."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_ordinary(tensor: Tensor) -> bool:
    """Return True for a tensor of numbers that backward gradients at most follow, as an `autograd.Function` needs."""
    return type(tensor) is Tensor and not is_transformed()


def is_batched_gradient(gradient: Tensor) -> bool:
    """Return True for the gradient that `torch.autograd.grad(is_grads_batched=True)` passes to a backward function."""
    return torch._C._functorch.is_legacy_batchedtensor(gradient)


def is_inference(module: nn.Module) -> bool:
    """Return True if a module is in eval mode and no graph is recorded: then derived values may replace parameters."""
    return not (module.training or torch.is_grad_enabled())


def is_finite(tensor: Tensor) -> bool:
    """Return False if a tensor holds NaN or infinity; in one pass, without a copy."""
    if not tensor.is_floating_point() or not tensor.numel() or tensor.is_meta:
        return True
    return all(bool(torch.isfinite(end)) for end in torch.aminmax(tensor.detach()))


def weight_norm(v: Tensor, g: Tensor) -> Tensor:
    """Return g · v / ‖v‖, bitwise as PyTorch's parametrization computes it."""
    return torch._weight_norm(v, g, 0)


def has_kernel(module: str, name: str, gradients: bool | None = None) -> Callable[[Function], Function]:
    """
    Decorate a function that `hf_vits.kernels.<module>.<name>` may replace.

    The kernel takes the plain function and then its arguments, and returns what the plain function does, to rounding.
    It calls the plain function where it is no faster. While a graph is traced, only plain functions run; also in the
    other grad mode, if the kernel is only for one: on if `gradients` is true, off if it is false.
    """

    def decorate(plain: Function) -> Function:
        if not HAS_KERNELS:
            return plain

        @wraps(plain)
        def run(*args: Any, **kwargs: Any) -> Any:
            is_useless = gradients is not None and gradients != torch.is_grad_enabled()
            if is_useless or is_traced() or not find("hf_vits.kernels").enabled:
                return plain(*args, **kwargs)
            return getattr(find(f"hf_vits.kernels.{module}"), name)(plain, *args, **kwargs)

        return run

    return decorate
