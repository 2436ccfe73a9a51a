"""Randomness that depends on seed, step and clip alone, so that batches, processes and resuming cannot change it."""

import torch
from torch import Tensor

from hf_vits.randomness import seed_of


def clip_generators(seed: int, step: int, rows: Tensor) -> list[torch.Generator]:
    """rows int64 (B,), their numbers in the data set -> a generator for each, on the rows' device."""
    return [torch.Generator(rows.device).manual_seed(seed_of(seed, step, row)) for row in rows.tolist()]
