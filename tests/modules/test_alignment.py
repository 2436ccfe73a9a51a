import itertools

import processes
import pytest
import torch

from hf_vits.modules.alignment import log_likelihood, monotonic_alignment_search, search_where_finite


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_likelihoods_are_those_of_float32_under_autocast(dtype):
    """Scores of frames differ by small differences of large numbers, which half precision rounds away."""
    noise = torch.Generator().manual_seed(0)
    latents, mean, log_std = (torch.randn(2, 16, size, generator=noise) for size in (30, 9, 9))
    plainly = log_likelihood(latents, mean, log_std)
    assert plainly.dtype == torch.float32
    with torch.autocast("cpu", dtype):
        assert torch.equal(log_likelihood(latents, mean, log_std), plainly)


def all_monotonic(tokens, frames):
    """Every way to give `frames` frames to `tokens` tokens, in order and at least one each."""
    for cuts in itertools.combinations(range(1, frames), tokens - 1):
        edges = (0, *cuts, frames)
        yield [token for token in range(tokens) for _ in range(edges[token + 1] - edges[token])]


@pytest.mark.parametrize("seed", range(5))
def test_the_search_finds_the_best_of_all_monotonic_paths(seed):
    noise = torch.Generator().manual_seed(seed)
    text_lengths, frame_lengths = torch.tensor([4, 1, 6, 3]), torch.tensor([9, 5, 6, 10])
    scores = torch.randn(4, 10, 6, generator=noise)
    index = monotonic_alignment_search(scores, text_lengths, frame_lengths)
    for item, (tokens, frames) in enumerate(zip(text_lengths.tolist(), frame_lengths.tolist(), strict=True)):
        total = {
            tuple(p): sum(scores[item, f, t].item() for f, t in enumerate(p)) for p in all_monotonic(tokens, frames)
        }
        assert tuple(index[item, :frames].tolist()) == max(total, key=total.get)
        assert (index[item, frames:] == tokens - 1).all()


def test_what_lies_in_the_padding_of_scores_is_never_looked_at():
    scores = torch.randn(2, 12, 7, generator=torch.Generator().manual_seed(0))
    text_lengths, frame_lengths = torch.tensor([5, 3]), torch.tensor([9, 12])
    expected = monotonic_alignment_search(scores, text_lengths, frame_lengths)
    for item in range(2):
        scores[item, frame_lengths[item] :] = float("nan")
        scores[item, :, text_lengths[item] :] = float("inf")
    assert torch.equal(monotonic_alignment_search(scores, text_lengths, frame_lengths), expected)


NAN, INF = float("nan"), float("inf")
BAD_SCORES = {
    "all NaN": lambda scores: scores.fill_(NAN),
    "all infinite": lambda scores: scores.fill_(INF),
    "all forbidden": lambda scores: scores.fill_(-INF),
    "NaN at the first frame": lambda scores: scores[1, 0].fill_(NAN),
    "NaN in one cell": lambda scores: scores[1, 100, 48].fill_(NAN),
    "infinite in one cell": lambda scores: scores[1, 100, 48].fill_(INF),
    "NaN at the last token": lambda scores: scores[1, :, 96].fill_(NAN),
    "a token is forbidden": lambda scores: scores[1, :, 50].fill_(-INF),
    "a frame is forbidden": lambda scores: scores[1, 77].fill_(-INF),
    "beyond float32": lambda scores: scores[1].fill_(-3e38),
}


@pytest.mark.parametrize("kind", BAD_SCORES)
def test_scores_that_are_not_finite_are_an_error_and_never_an_index_outside_of_the_tokens(kind):
    scores = torch.randn(2, 200, 97, generator=torch.Generator().manual_seed(0))
    text_lengths, frame_lengths = torch.tensor([97, 97]), torch.tensor([200, 200])
    expected = monotonic_alignment_search(scores, text_lengths, frame_lengths)
    BAD_SCORES[kind](scores)
    with pytest.raises(ValueError, match=r"Items \[(0, )?1\] have scores that are not finite"):
        monotonic_alignment_search(scores, text_lengths, frame_lengths)
    index, found = search_where_finite(scores, text_lengths, frame_lengths)
    assert not found[1] and (not found[0] or torch.equal(index[0], expected[0]))
    steps = index[1].diff()
    assert index[1, 0] == 0 and index[1, -1] == 96 and steps.min() == 0 and steps.max() == 1


def test_a_forbidden_cell_is_gone_around_and_cells_of_no_path_may_be_anything():
    scores = torch.zeros(1, 4, 2)
    scores[0, 0, 1] = scores[0, 3, 0] = NAN  # no path begins with the last token, or ends with the first
    scores[0, 2, 1] = -INF
    assert monotonic_alignment_search(scores, torch.tensor([2]), torch.tensor([4])).tolist() == [[0, 0, 0, 1]]


def test_more_tokens_than_frames_is_an_error_that_says_which():
    with pytest.raises(ValueError, match=r"\[1\].*\(5, 4\)"):
        monotonic_alignment_search(torch.zeros(2, 6, 5), torch.tensor([5, 5]), torch.tensor([6, 4]))


@pytest.mark.parametrize("lengths", [([3, 4], [5, 5]), ([3, 3], [5, 6])])
def test_lengths_past_the_scores_are_an_error_and_not_read_from_other_memory(lengths):
    with pytest.raises(ValueError, match=r"\[1\].*3 tokens and 5 frames"):
        monotonic_alignment_search(torch.zeros(2, 5, 3), *map(torch.tensor, lengths))


@pytest.mark.parametrize("lengths", [([3], [5, 5]), ([3, 3], [5])])
def test_there_is_one_length_of_each_kind_for_each_item(lengths):
    with pytest.raises(ValueError, match="2 items.*one length"):
        monotonic_alignment_search(torch.zeros(2, 5, 3), *map(torch.tensor, lengths))


def test_an_item_without_tokens_is_an_error_that_says_which():
    with pytest.raises(ValueError, match=r"\[1\].*\(0, 5\)"):
        monotonic_alignment_search(torch.zeros(2, 5, 3), torch.tensor([3, 0]), torch.tensor([5, 5]))


def test_the_log_likelihood_is_that_of_the_normal_distribution():
    noise = torch.Generator().manual_seed(0)
    latents, mean = torch.randn(2, 3, 5, generator=noise), torch.randn(2, 3, 4, generator=noise)
    log_std = 0.5 * torch.randn(2, 3, 4, generator=noise)
    density = torch.distributions.Normal(mean.unsqueeze(2), log_std.exp().unsqueeze(2)).log_prob(latents.unsqueeze(3))
    torch.testing.assert_close(log_likelihood(latents, mean, log_std), density.sum(dim=1), rtol=1e-5, atol=1e-5)


def test_the_search_leaves_pytorch_the_threads_it_was_given():
    """A process of its own, since numba starts its threads once."""
    code = """
import torch
from hf_vits.modules.alignment import monotonic_alignment_search
torch.set_num_threads(1)
monotonic_alignment_search(torch.zeros(1, 1, 1), torch.ones(1, dtype=torch.long), torch.ones(1, dtype=torch.long))
assert torch.get_num_threads() == 1, torch.get_num_threads()
"""
    assert processes.exit_codes([processes.start(processes.execute, code)]) == [0]
