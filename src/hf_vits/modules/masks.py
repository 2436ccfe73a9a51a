"""Lengths, masks and durations: which positions of a padded batch are real, and which token each frame belongs to."""

import torch
from torch import Tensor

from hf_vits.utils.torch_state import is_traced

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


def durations_to_index(durations: Tensor, frames: int | Tensor) -> Tensor:
    """durations int64 (B, T_text) in frames -> int64 (B, T_spec) token of each frame; the last token past the end.

    Tokens of no frame are skipped. `frames`, T_spec, is a tensor where a graph is traced.
    """
    ends = durations.cumsum(dim=1)
    positions = torch.arange(frames, device=durations.device)
    if is_traced():  # exporters do not know `searchsorted`
        index = (ends.unsqueeze(2) <= positions).sum(dim=1)
    else:
        index = torch.searchsorted(ends, positions.expand(len(ends), -1).contiguous(), right=True)
    return index.clamp(max=durations.shape[1] - 1)


def frames_of_token(index: Tensor, frame_lengths: Tensor, tokens: int) -> Tensor:
    """index int64 (B, T_spec), frame_lengths (B,) -> durations int64 (B, T_text); inverts `durations_to_index`."""
    real = torch.arange(index.shape[1], device=index.device) < frame_lengths[:, None]
    return torch.zeros(index.shape[0], tokens, dtype=torch.long, device=index.device).scatter_add(1, index, real.long())


def expand(values: Tensor, index: Tensor) -> Tensor:
    """values (B, C, T_text), index int64 (B, T_spec) -> (B, C, T_spec): each frame takes its token's column."""
    return values.gather(2, index.unsqueeze(1).expand(-1, values.shape[1], -1))
