"""Questions about PyTorch's state, in one file because some have no public function to ask.

Private functions used, and why: `torch._C._are_functorch_transforms_active`, `is_legacy_batchedtensor` and
`forward_ad._current_level` tell of `vmap`, `is_grads_batched` and forward gradients; `_len_torch_dispatch_stack`, of
dispatch modes; `parametrize._cache_enabled` and `_has_any_global_hook`, of what may keep tensors of a call. PyTorch has
no public functions for these.
"""

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.modules import module as modules
from torch.nn.utils import parametrize


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


def is_observed() -> bool:
    """Return True if a dispatch mode, a global hook or the parametrization cache could keep tensors of a call."""
    return bool(torch._C._len_torch_dispatch_stack() or modules._has_any_global_hook() or parametrize._cache_enabled)
