"""Products with weights that do not change, by oneDNN where that is faster than MKL.

MKL, which `torch.mm` calls, keeps to AVX2 on processors that are not Intel's: on one with AVX-512 it reaches half the
speed. oneDNN, which PyTorch has for convolutions, does not. Its product takes weights in an order of its own, which is
made once.

Private functions used, and why: `torch.ops.mkldnn._reorder_linear_weight` and `_linear_pointwise`, which the code that
`torch.compile` generates calls. There is no public function for a product by oneDNN in float32.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

FEWEST_CHANNELS = 96
"""Least inputs and outputs of a product that is faster so."""

FEWEST_CHANNELS_OF_STACK = 128
"""The same for products of the tiles of a signal, which have 32 rows and more each."""


@cache
def prefers_onednn() -> bool:
    """Return True on a processor with AVX-512 that MKL does not use, if this PyTorch has both libraries."""
    has_functions = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()
    if not (has_functions and torch.backends.mkl.is_available()):
        return False
    file = Path("/proc/cpuinfo")
    vendor = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else "GenuineIntel"
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and "GenuineIntel" not in vendor


def is_faster(channels: int) -> bool:
    """Return True for so many inputs or outputs, whichever are fewer, with which products are faster by oneDNN."""
    return channels >= FEWEST_CHANNELS and prefers_onednn()


def prepared(weight: Tensor) -> tuple[Tensor, Callable[[Tensor, Tensor, Tensor | None], Tensor]]:
    """weight (C_out, C_in) -> the same in the order of the fastest product, and that product of rows (B, T, C_in), this
    weight and a bias (C_out,), to (B, T, C_out), without gradients."""
    suits = weight.dtype == torch.float32 and weight.device.type == "cpu"
    if not (suits and is_faster(min(weight.shape))):
        return weight, F.linear
    product = partial(torch.ops.mkldnn._linear_pointwise, attr="none", scalars=[], algorithm="")
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()), product


class Stack:
    """Weights (n, C_in, C_out) of n products, in the order of the fastest ones; without gradients."""

    def __init__(self, weight: Tensor):
        self.shape, self.weight = weight.shape, weight
        suits = weight.dtype == torch.float32 and weight.device.type == "cpu"
        self.is_packed = suits and min(weight.shape[1:]) >= FEWEST_CHANNELS_OF_STACK and prefers_onednn()
        if self.is_packed:
            self.weight = [torch.ops.mkldnn._reorder_linear_weight(one.t().contiguous()) for one in weight]

    def multiply(self, rows: Tensor, out: Tensor) -> None:
        """Write the products of rows (n, R, C_in) to `out` (n, R, C_out)."""
        if not self.is_packed:
            torch.bmm(rows, self.weight, out=out)
            return
        for one, weight, place in zip(rows, self.weight, out, strict=True):
            place.copy_(torch.ops.mkldnn._linear_pointwise(one, weight, None, "none", [], ""))
