"""Spans of tokens last as many frames as they are to, and are else as they were."""

import pytest
import torch

from hf_vits.inference.spans import fit_spans, given_spans


@pytest.mark.parametrize("seed", range(20))
def test_spans_sum_to_what_they_are_to_have_and_nothing_else_changes(seed):
    draw = torch.Generator().manual_seed(seed)
    frames = torch.randint(1, 12, (2, 30), generator=draw)
    totals = torch.randint(10, 200, (3,), generator=draw).tolist()
    spans = [[(0, 10, totals[0]), (10, 20, totals[1])], [(7, 17, totals[2])]]
    fitted = fit_spans(frames, spans)
    for before, after, item in zip(frames, fitted, spans, strict=True):
        outside = torch.ones(30, dtype=torch.bool)
        for first, last, total in item:
            outside[first:last] = False
            assert after[first:last].sum() == total and after[first:last].min() >= 1
            exact = before[first:last] * total / before[first:last].sum()
            if exact.min() >= 1:  # no token is at the least
                assert (after[first:last] - exact).abs().max() < 1 + 1e-6
        assert torch.equal(before[outside], after[outside])


def test_a_span_of_the_frames_that_it_has_stays_as_it_is():
    frames = torch.randint(1, 9, (1, 40), generator=torch.Generator().manual_seed(0))
    assert torch.equal(fit_spans(frames, [[(5, 33, int(frames[0, 5:33].sum()))]]), frames)


@pytest.mark.parametrize(
    ("spans", "named"),
    [
        ([], "a list of 1"),
        ([[(0, 4, 3)]], "3 frames for 4 tokens"),
        ([[(0, 9, 30)]], "within the 8 tokens"),
        ([[(0, 4, 9), (3, 6, 9)]], "do not overlap"),
        ([[(0, 4, float("nan"))]], "whole numbers"),
        ([[(0.5, 4, 9)]], "whole numbers"),
        ([[(0, 4)]], r"has \(0, 4\); it takes"),
        ([[7]], "has 7; it takes"),
        ([[(0, 4, 10**400)]], "give one for each at least, and 2,147,483,648 at most"),
    ],
)
def test_spans_that_cannot_be_are_errors(spans, named):
    with pytest.raises(ValueError, match=named):
        given_spans(spans, torch.ones(1, 1, 8))


def test_padding_gets_no_frames(make_model):
    model, ids = make_model(), torch.ones(2, 8, dtype=torch.long)
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
    options = {"attention_mask": mask, "speaker_id": 0, "generator": torch.Generator().manual_seed(0)}
    with pytest.raises(ValueError, match="within the 5 tokens"):
        model(ids, span_durations=[[], [(2, 8, 60)]], **options)
    durations = model(ids, span_durations=[[], [(2, 5, 60)]], **options).durations
    assert durations[1, 2:5].sum() == 60 and durations[1, 5:].sum() == 0
