"""Which token each frame belongs to: an index per frame, never a dense (text × frames) matrix."""

import torch
from torch import Tensor


def token_of_frame(durations: Tensor, frames: int) -> Tensor:
    """durations int64 (B, T_text) in frames -> int64 (B, T_spec) token of each frame; the last token past the end."""
    ends = durations.cumsum(dim=1)
    positions = torch.arange(frames, device=durations.device).expand(durations.shape[0], frames).contiguous()
    return torch.searchsorted(ends, positions, right=True).clamp(max=durations.shape[1] - 1)


def expand(values: Tensor, index: Tensor) -> Tensor:
    """values (B, C, T_text), index int64 (B, T_spec) -> (B, C, T_spec): each frame takes its token's column."""
    return values.gather(2, index.unsqueeze(1).expand(-1, values.shape[1], -1))
