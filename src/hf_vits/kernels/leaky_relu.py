"""Leaky ReLU that remembers what came out instead of what went in, which the convolution after it remembers anyway."""

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.kernels.weight_cache import is_unwrapped


def leaky_relu(signal: Tensor, slope: float) -> Tensor:
    """signal (any shape), slope above 0 -> the same shape; gradients are those of `F.leaky_relu`, in less memory."""
    remembers = torch.is_grad_enabled() and is_unwrapped(signal)
    return _LeakyReLU.apply(signal, slope) if remembers else F.leaky_relu(signal, slope)


class _LeakyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signal: Tensor, slope: float) -> Tensor:
        out = F.leaky_relu(signal, slope)
        ctx.save_for_backward(out)
        ctx.slope = slope
        return out

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors  # of the same sign as what went in
        return torch.ops.aten.leaky_relu_backward(gradient, out, ctx.slope, True), None
