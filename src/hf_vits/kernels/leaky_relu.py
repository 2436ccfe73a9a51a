"""Leaky ReLU that saves its output, not its input, for the backward pass: the next convolution saves that anyway."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.utils.torch_state import is_ordinary


def leaky_relu(plain: Callable, signal: Tensor, slope: float) -> Tensor:
    """signal (any shape), slope above 0 -> the same shape."""
    if is_ordinary(signal):
        return _LeakyReLU.apply(signal, slope)
    return plain(signal, slope)


class _LeakyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signal: Tensor, slope: float) -> Tensor:
        output = F.leaky_relu(signal, slope)
        ctx.save_for_backward(output)
        ctx.slope = slope
        return output

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (output,) = ctx.saved_tensors  # has the sign of the input
        return torch.ops.aten.leaky_relu_backward(gradient, output, ctx.slope, True), None
