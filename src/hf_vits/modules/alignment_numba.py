"""The search of `alignment.search`, compiled by numba on first use and then kept on disk."""

import numba
import numpy as np


@numba.njit(parallel=True, cache=True, nogil=True)
def best_paths(scores, text_lengths, frame_lengths, index, found):
    """scores float32 (B, T_spec, T_text), lengths int64 (B,) -> index int64 (B, T_spec), found bool (B,), in place."""
    for item in numba.prange(scores.shape[0]):
        found[item] = _best_path(scores[item], text_lengths[item], frame_lengths[item], index[item])


@numba.njit(cache=True, nogil=True)
def _best_path(scores, tokens, frames, index):
    """One item: dynamic programming along the frames (paper, appendix A), then the way back.

    A token is entered from itself or from the one before it, so one byte per cell leads back. Cells that no full path
    can pass through are never looked at. If a cell that is looked at is NaN or +inf, or if every path has the score
    -inf, there is no best path: it returns false, and the frames are divided evenly, as the way back would leave the
    cells that were written.
    """
    entered = np.empty((frames, tokens), dtype=np.uint8)
    best = np.full((2, tokens + 1), -np.inf, dtype=np.float32)  # of the last frame and of this one, in turn
    best[0, 0] = 0  # one place left of the first token, where every path starts
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
    """One frame, by itself in a function: so compilers see that the rows are apart, and take eight cells at a time.
    Returns how many scores are NaN or +inf."""
    wrong = 0
    for token in range(count):
        wrong += not scores[token] < np.inf
        entered[token] = left[token] > same[token]
        now[token] = max(left[token], same[token]) + scores[token]
    return wrong
