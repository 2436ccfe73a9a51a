"""A long signal in pieces, side by side on the cores of a processor, to speak.

What the layers of a piece hand to each other then stays in that core's cache. PyTorch shares each operation among all
cores instead: every core needs what others have just written, and all wait for the last one, operation by operation.
In between its threads keep their cores busy with waiting, so a network should run in pieces as a whole.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch
from torch import Tensor

SAMPLES = 2**13
"""So many are made at once, at most: 1 MiB of 32 channels in float32, as in the last stage of a decoder."""

FRAMES = 96
"""So many for each core make pieces worth it: what they see beyond their ends is computed twice."""

Piece = Callable[[Tensor, int], Tensor]
"""From a signal (B, C, 1, T), and the place where it ends, to a signal (B, C', 1, rate · T)."""


def cores_for(frames: int) -> int:
    """How many cores get pieces of their own to decode so many frames. With 1, all share operations, as in streams."""
    threads = torch.get_num_threads()
    alone = torch.is_autocast_enabled("cpu")  # which holds for one thread, and others would not know
    return 1 if alone or frames < threads * FRAMES else threads


def by_pieces(
    function: Piece, signal: Tensor, end: int, reach: int, channels: int, rate: int = 1, cores: int = 1
) -> Tensor:
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
        cores (`int`, *optional*, defaults to 1):
            How many have pieces of their own.
    """
    length = signal.shape[-1]
    size = -(-length // cores)
    while len(signal) * rate * size > SAMPLES and size > 1:
        size = -(-size // 2)
    if size == length:
        return function(signal, end)
    sides = 1 if 2 * size >= length else 2  # on which a piece has another, at the ends too: a CPU's kernels are made
    seen = min(length, size + sides * reach)  # for each length
    made = signal.new_empty(len(signal), 1, rate * length, channels).permute(0, 3, 1, 2)

    def make(start: int) -> None:
        left = min(max(0, start - reach), length - seen)
        piece = function(signal[..., left : left + seen], end - left)[..., rate * (start - left) :]
        made[..., rate * start : rate * (start + size)] = piece[..., : rate * size]

    starts = range(0, end, size)
    if cores == 1:
        for start in starts:
            make(start)
        return made
    inference = torch.is_inference_mode_enabled()

    def make_alone(start: int) -> None:
        with torch.inference_mode(inference), torch.no_grad():
            make(start)

    list(_workers(cores).map(make_alone, starts))  # raises what went wrong
    return made


@cache
def _workers(threads: int) -> ThreadPoolExecutor:
    """So many threads, whose operations are not shared with others."""
    here = torch.get_num_threads()
    all_there = Barrier(threads)
    workers = ThreadPoolExecutor(threads, "hf_vits", lambda: torch.get_num_threads() and torch.set_num_threads(1))
    list(workers.map(lambda _: all_there.wait(), range(threads)))
    # Setting it in a thread sets what new threads begin with, too.
    torch.set_num_threads(here)
    return workers


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_workers.cache_clear)  # threads are not there after a fork
