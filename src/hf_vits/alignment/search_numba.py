"""The inner loop of `best_path`, compiled by numba on first use and then cached on disk."""

import numba


@numba.njit(cache=True, nogil=True)
def advance(best, scores, is_optional, entry_cost, entered):
    """best float64 (S,) before the frames of scores float32 (T, S) -> after them, in place; entered uint8 (T, S).

    The best path to a state comes from it (0), from the one before (1), or passes over an optional one (2); `entered`
    has this number for each frame and state. States are updated from right to left, so that those before still have
    their scores of the previous frame.
    """
    frames, states = scores.shape
    for frame in range(frames):
        for state in range(states - 1, -1, -1):
            value, steps = best[state], 0
            if state > 0:
                other = best[state - 1] - (entry_cost if is_optional[state] else 0.0)
                if other > value:
                    value, steps = other, 1
            if state > 1 and is_optional[state - 1] and best[state - 2] > value:
                value, steps = best[state - 2], 2
            best[state] = value + scores[frame, state]
            entered[frame, state] = steps
