"""Products with weights that do not change, by oneDNN where that is faster than MKL.

MKL, which `torch.mm` calls, keeps to AVX2 on processors that are not Intel's: on one with AVX-512 it reaches half the
speed. oneDNN, which PyTorch has for convolutions, does not. Its product takes weights in an order of its own, which is
made once.

Private names used, and why: `torch.ops.mkldnn._reorder_linear_weight` and `_linear_pointwise`, which the code that
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


@cache
def prefers_onednn() -> bool:
    """Return True on a processor with AVX-512 that MKL does not use, if this PyTorch has both libraries."""
    has_functions = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()
    if not (has_functions and torch.backends.mkl.is_available()):
        return False
    file = Path("/proc/cpuinfo")
    vendor = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else "GenuineIntel"
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and "GenuineIntel" not in vendor


def is_faster(channels: int, fewest: int = FEWEST_CHANNELS) -> bool:
    """Return True for so many inputs or outputs, whichever are fewer, with which products are faster by oneDNN."""
    return channels >= fewest and prefers_onednn()


def prepared(weight: Tensor, fewest: int = FEWEST_CHANNELS) -> tuple[Tensor, Callable[..., Tensor]]:
    """weight (C_out, C_in) -> the same in the order of the fastest product, and that product of rows (…, C_in), this
    weight and a bias (C_out,) or None, to (…, C_out), without gradients; oneDNN's from `fewest` channels on."""
    suits = weight.dtype == torch.float32 and weight.device.type == "cpu"
    if not (suits and is_faster(min(weight.shape), fewest)):
        return weight, F.linear
    product = partial(torch.ops.mkldnn._linear_pointwise.default, attr="none", scalars=[], algorithm="")
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()), product
