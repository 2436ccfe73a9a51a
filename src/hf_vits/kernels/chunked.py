"""A long signal in pieces, to speak: what the layers of a piece hand to each other stays in a processor's cache."""

from collections.abc import Callable

import torch
from torch import Tensor

SAMPLES = 2**13
"""For each thread, so many are made at once, at most: 1 MiB of 32 channels in float32, as in a decoder's last stage.
Smaller pieces take less memory, and more time: each sees what lies beyond its ends, and threads wait for each other
after each operation."""

Piece = Callable[[Tensor, int], Tensor]
"""From a signal (B, C, 1, T), and the place where it ends, to a signal (B, C', 1, rate · T)."""


def run_chunked(function: Piece, signal: Tensor, end: int, reach: int, channels: int, rate: int = 1) -> Tensor:
    """
    signal (B, C, 1, T), channels last -> what `function` makes of it (B, C', 1, rate · T), right up to rate · `end`.

    Args:
        function (`Callable`):
            Makes it, without gradients and without changing what it is given.
        signal (`Tensor` of shape `(B, C, 1, T)`):
            What is cut.
        end (`int`):
            Samples that count.
        reach (`int`):
            How many samples to either side of a sample `function` sees to make what comes of it.
        channels, rate (`int`):
            Channels, and samples for each, of what it makes.
    """
    length = signal.shape[-1]
    pieces = -(-len(signal) * rate * length // (SAMPLES * torch.get_num_threads()))
    size = -(-length // max(1, pieces))
    if size == length:
        return function(signal, end)
    sides = 1 if 2 * size >= length else 2  # on which a piece has another, at the ends too: a CPU's kernels are made
    seen = min(length, size + sides * reach)  # for each length
    made = signal.new_empty(len(signal), 1, rate * length, channels).permute(0, 3, 1, 2)
    for start in range(0, end, size):
        left = min(max(0, start - reach), length - seen)
        piece = function(signal[..., left : left + seen], end - left)[..., rate * (start - left) :]
        made[..., rate * start : rate * (start + size)] = piece[..., : rate * size]
    return made
