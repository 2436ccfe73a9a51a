"""Randomness that depends on seed, step and clip alone, so that batches, processes and resuming cannot change it."""

import numpy as np
import torch
from torch import Tensor


def seed_of(*numbers: int) -> int:
    """Whole numbers from 0 up -> a seed below 2⁶³, as good as independent of that of any other numbers."""
    high, low = np.random.SeedSequence(numbers).generate_state(2, np.uint32).tolist()
    return (high << 31) ^ low


def clip_generators(seed: int, step: int, rows: Tensor) -> list[torch.Generator]:
    """rows int64 (B,), their numbers in the data set -> a generator for each, on the rows' device."""
    return [torch.Generator(rows.device).manual_seed(seed_of(seed, step, row)) for row in rows.tolist()]
