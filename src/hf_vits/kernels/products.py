"""Products with weights that do not change, by oneDNN where that is faster than MKL.

MKL, which `torch.mm` calls, keeps to AVX2 on processors that are not Intel's: on one with AVX-512 it reaches half the
speed. oneDNN, which PyTorch has for convolutions, does not. Its product takes weights in an order of its own, which is
made once.

Private functions used, and why: `torch.ops.mkldnn._reorder_linear_weight` and `_linear_pointwise`, which the code that
`torch.compile` generates calls. There is no public function for a product by oneDNN in float32.
"""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

FEWEST_CHANNELS = 96
"""Least inputs and outputs of a product that is faster so."""


@cache
def prefers_onednn() -> bool:
    """Return True on a processor with AVX-512 that MKL does not use, if this PyTorch has both libraries."""
    has_functions = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()
    if not (has_functions and torch.backends.mkl.is_available()):
        return False
    file = Path("/proc/cpuinfo")
    vendor = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else "GenuineIntel"
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and "GenuineIntel" not in vendor


def is_faster(weight: Tensor) -> bool:
    """Return True for a weight (C_out, C_in, …) with which products are faster by oneDNN."""
    suits = weight.dtype == torch.float32 and weight.device.type == "cpu"
    return suits and min(weight.shape[:2]) >= FEWEST_CHANNELS and prefers_onednn()


class Matrix:
    """
    A matrix that rows are multiplied with, in the order in which that is fastest.

    Args:
        weight (`Tensor` of shape `(C_out, C_in)`):
            The matrix.
    """

    def __init__(self, weight: Tensor):
        self.is_packed = is_faster(weight)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()) if self.is_packed else weight

    def linear(self, rows: Tensor, bias: Tensor | None) -> Tensor:
        """rows (B, T, C_in), bias (C_out,) -> (B, T, C_out), without gradients."""
        if self.is_packed:
            return torch.ops.mkldnn._linear_pointwise(rows, self.weight, bias, "none", [], "")
        return F.linear(rows, self.weight, bias)
