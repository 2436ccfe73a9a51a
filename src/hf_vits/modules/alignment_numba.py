"""The search of `monotonic_alignment_search`, compiled by numba on first use and then cached on disk."""

import numba
import numpy as np


@numba.njit(parallel=True, cache=True, nogil=True)
def best_paths(scores, text_lengths, frame_lengths, index, found):
    """scores float32 (B, T_spec, T_text), lengths int64 (B,) -> index int64 (B, T_spec), found bool (B,), in place."""
    for item in numba.prange(scores.shape[0]):
        found[item] = _best_path(scores[item], text_lengths[item], frame_lengths[item], index[item])


@numba.njit(cache=True, nogil=True)
def _best_path(scores, tokens, frames, index):
    """Align one item by dynamic programming along the frames (paper, appendix A), then backtrack.

    The predecessor of a cell is the same token or the one before, so backtracking needs one byte per cell. Cells on no
    complete path are skipped. If a cell on some path is NaN or +inf, or if every path has the score -inf, there is no
    best path: return False and divide the frames evenly, because backtracking would leave the cells that were written.
    """
    entered = np.empty((frames, tokens), dtype=np.uint8)
    best = np.full((2, tokens + 1), -np.inf, dtype=np.float32)  # of the previous and the current frame, alternating
    best[0, 0] = 0  # left of the first token, where every path starts
    wrong = 0
    for frame in range(frames):
        first, last = max(0, tokens - frames + frame), min(frame, tokens - 1)
        before, now = best[frame % 2, first:], best[1 - frame % 2, first + 1 :]
        wrong += _advance(before, before[1:], scores[frame, first:], now, entered[frame, first:], last + 1 - first)
        best[0, 0] = -np.inf
    index[frames:] = tokens - 1
    if wrong or not best[frames % 2, tokens] > -np.inf:
        for frame in range(frames):
            index[frame] = frame * tokens // frames
        return False
    token = tokens - 1
    for frame in range(frames - 1, -1, -1):
        index[frame] = token
        token -= entered[frame, token]
    return True


@numba.njit(cache=True, nogil=True)
def _advance(left, same, scores, now, entered, count):
    """Advance by one frame and return the number of scores that are NaN or +inf.

    In a function of its own, so that the compiler sees that the rows do not overlap, and vectorizes.
    """
    wrong = 0
    for token in range(count):
        wrong += not scores[token] < np.inf
        entered[token] = left[token] > same[token]
        now[token] = max(left[token], same[token]) + scores[token]
    return wrong
