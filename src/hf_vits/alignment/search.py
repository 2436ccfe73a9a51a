"""The most likely path of frames through states, some of which may be skipped, block by block.

The search is that of the paper (appendix A) with silences between tokens that a path may leave out. Only the best
scores at the start of each block are kept, from which the way back is found again: memory grows with the states of a
path and not with their product with the frames.
"""

from collections.abc import Callable

import numpy as np

BLOCK_FRAMES = 512
"""Frames of a block."""

Scores = Callable[[int, int, int, int], np.ndarray]
"""Frames `first` to `last` and states `left` to `right`, ends excluded -> scores float32 (frames, states)."""


def best_path(
    scores: Scores, frames: int, is_optional: np.ndarray, entry_cost: float, beam: float = np.inf
) -> np.ndarray | None:
    """
    Return the state of each frame, int64 (T_spec,), of the path of the greatest sum of scores; `None` without any.

    A path begins in the first state and ends in the last one, or beside them if these are optional. It stays in a
    state or goes to the next one, and may pass over an optional one.

    Args:
        scores (`Callable`):
            The scores of a block of frames and states.
        frames (`int`):
            Number of frames.
        is_optional (`np.ndarray` of shape `(states,)`, bool):
            States that a path may leave out; no two are neighbors.
        entry_cost (`float`):
            What is subtracted where a path enters an optional state.
        beam (`float`, *optional*, defaults to infinity):
            Where a block begins, states whose score is below the best by more are given up.
    """
    is_optional = np.concatenate([[False], is_optional, [False]])  # a path starts and ends outside
    if frames < (~is_optional).sum() - 2:
        return None
    best = np.full(len(is_optional), -np.inf)
    best[0] = 0.0
    starts, kept = list(range(0, frames, BLOCK_FRAMES)), []
    for first in starts:
        last = min(first + BLOCK_FRAMES, frames)
        left, right = _reachable(best, last - first, beam)
        kept.append((left, right, best[left:right].copy()))
        _advance(best, first, last, left, right, scores, is_optional, entry_cost)
        best[:left] = best[right:] = -np.inf
    ends = [len(best) - 2, len(best) - 3][: 1 + bool(is_optional[-2])]
    state = max(ends, key=lambda end: best[end])
    if not best[state] > -np.inf:
        return None
    path = np.empty(frames, dtype=np.int64)
    for first, (left, right, before) in zip(starts[::-1], kept[::-1], strict=True):
        last = min(first + BLOCK_FRAMES, frames)
        low, high = max(left, state - 2 * (last - first)), state + 1  # all from where this state can be reached
        window = np.full(high, -np.inf)
        window[low : min(high, right)] = before[low - left : min(high, right) - left]
        entered = _advance(window, first, last, low, high, scores, is_optional, entry_cost)
        for frame in range(last - 1, first - 1, -1):
            path[frame] = state
            state -= int(entered[frame - first, state - low])
    return path - 1


def _reachable(best: np.ndarray, frames: int, beam: float) -> tuple[int, int]:
    """Return the first state that a block may start in, and the one after the last that it may reach."""
    alive = np.flatnonzero(best >= best.max() - beam) if np.isfinite(beam) else np.flatnonzero(best > -np.inf)
    if not len(alive):
        return 0, len(best) - 1
    return int(alive[0]), min(len(best) - 1, int(alive[-1]) + 2 * frames + 1)


def _advance(
    best: np.ndarray, first: int, last: int, left: int, right: int, scores: Scores, is_optional: np.ndarray, cost: float
) -> np.ndarray:
    """Advance the best scores in place; return by how many states each frame's best path went on, uint8."""
    from hf_vits.alignment.search_numba import advance

    block = np.full((last - first, right - left), -np.inf, dtype=np.float32)
    real = max(left, 1)  # state 0, before the first one, has no frames
    block[:, real - left :] = scores(first, last, real - 1, right - 1)
    entered = np.empty(block.shape, dtype=np.uint8)
    advance(best[left:right], block, is_optional[left:right], cost, entered)
    return entered
