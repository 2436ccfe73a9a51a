"""Lengths and masks: which positions of a padded batch are real."""

import torch
from torch import Tensor

Valid = Tensor | int | None
"""The samples of a signal that count: a mask (B, 1, T), the number that every item has, or all."""


def mask_from_lengths(lengths: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """lengths int64 (B,) -> float mask (B, 1, size), one where a position is real."""
    positions = torch.arange(size, device=lengths.device)
    return (positions < lengths[:, None]).unsqueeze(1).to(dtype)


def zero_outside(signal: Tensor, valid: Valid) -> Tensor:
    """Return the signal (B, C, T) with zeros for padding; where `valid` is a number, it is written to."""
    if isinstance(valid, Tensor):
        return signal * valid
    if valid is not None and valid < signal.shape[-1]:
        signal[..., valid:] = 0
    return signal


def extents(mask: Tensor) -> Tensor:
    """float mask (B, 1, T) -> int64 (B,): positions up to the last that is real, holes included."""
    last = mask.flip(2).argmax(dim=2).squeeze(1)
    return mask.shape[2] - last


def lengths_from_mask(mask: Tensor) -> Tensor:
    """float mask (B, 1, T) -> int64 (B,); counted as integers, because half precision cannot count past 256."""
    return mask.bool().sum(dim=(1, 2))
