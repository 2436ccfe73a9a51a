"""Random slices of utterances, so that the decoder is trained on a fraction of a second at a time (section 2.3)."""

import torch
from torch import Tensor

from hf_vits.randomness import Generators, uniform


def random_starts(lengths: Tensor, size: int, generator: Generators = None) -> Tensor:
    """lengths in frames int64 (B,), size of a slice -> first frame of one for each item, int64 (B,).

    Uniform over all places where the slice fits; 0 for an item that is shorter than the slice.
    """
    room = (lengths - size).clamp(min=0) + 1
    return (uniform(len(lengths), generator, lengths.device) * room).long().minimum(room - 1)


def take(values: Tensor, starts: Tensor, size: int) -> Tensor:
    """values (B, C, T), starts int64 (B,) -> (B, C, size); zero where an item ends before its slice does."""
    position = starts[:, None] + torch.arange(size, device=values.device)
    inside = position < values.shape[-1]
    index = position.clamp(max=values.shape[-1] - 1).unsqueeze(1).expand(-1, values.shape[1], -1)
    return values.gather(2, index) * inside.unsqueeze(1)
