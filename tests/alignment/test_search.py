import itertools

import numpy as np
import pytest

from hf_vits.alignment import search


def all_paths(frames, is_optional):
    """Every path through states that may be left out if they are optional."""
    states = range(len(is_optional))
    for size in range(1, len(is_optional) + 1):
        for kept in itertools.combinations(states, size):
            if not all(is_optional[state] for state in states if state not in kept) or size > frames:
                continue
            for cuts in itertools.combinations(range(1, frames), size - 1):
                edges = (0, *cuts, frames)
                yield [state for i, state in enumerate(kept) for _ in range(edges[i + 1] - edges[i])]


def worth(path, scores, is_optional, cost):
    entered = [state for i, state in enumerate(path) if i == 0 or path[i - 1] != state]
    return sum(scores[f, s] for f, s in enumerate(path)) - cost * sum(is_optional[state] for state in entered)


def blocks_of(scores):
    return lambda first, last, left, right: scores[first:last, left:right]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("optional", [(0, 3, 5), (), (2,), (0, 2, 4, 6)])
def test_the_search_finds_the_best_of_all_paths(seed, optional, monkeypatch):
    """In blocks of two frames, so that the way back crosses blocks."""
    monkeypatch.setattr(search, "BLOCK_FRAMES", 2)
    scores = np.random.default_rng(seed).normal(size=(8, 7)).astype(np.float32)
    is_optional = np.isin(np.arange(7), optional)
    path = search.best_path(blocks_of(scores), 8, is_optional, 0.7)
    best = max(all_paths(8, is_optional), key=lambda one: worth(one, scores, is_optional, 0.7))
    assert path.tolist() == best


def test_a_wide_beam_changes_nothing_and_a_narrow_one_saves_states():
    size, frames = 1500, 1600
    scores = np.random.default_rng(0).normal(size=(frames, size)).astype(np.float32)
    scores[np.arange(frames), np.minimum(np.arange(frames), size - 1)] += 10
    is_optional, seen = np.arange(size) % 5 == 0, []

    def counted(first, last, left, right):
        seen.append((last - first) * (right - left))
        return scores[first:last, left:right]

    whole = search.best_path(counted, frames, is_optional, 1.0)
    cells = sum(seen)
    seen.clear()
    assert np.array_equal(search.best_path(counted, frames, is_optional, 1.0, beam=200.0), whole)
    assert sum(seen) < cells


def test_fewer_frames_than_tokens_have_no_path():
    is_optional = np.array([True, False, False, True])
    scores = np.zeros((2, 4), np.float32)
    assert search.best_path(blocks_of(scores), 1, is_optional, 0.0) is None
    assert search.best_path(blocks_of(scores), 2, is_optional, 9.0).tolist() == [1, 2]
    assert search.best_path(blocks_of(scores - np.inf), 2, is_optional, 0.0) is None
