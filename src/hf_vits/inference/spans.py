"""Frames that spans of tokens are to have together, such as a phrase that is to last two seconds."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Spans = list[list[tuple[int, int, int]]]
"""For each item of a batch its spans: the first token, the one after the last, and the frames of all of them."""


def given_spans(span_durations: Any, input_ids: Tensor) -> Spans:
    """
    Return the spans of each item.

    Raises:
        ValueError: if there is not one list for each item, for spans outside of the text or that overlap, and for fewer
            frames than tokens.
    """
    batch, size = input_ids.shape
    if not isinstance(span_durations, Sequence) or len(span_durations) != batch:
        raise ValueError(f"`span_durations` must be a list of {batch}: a list of spans for each item of the batch.")
    for spans in span_durations:
        end = 0
        for span in spans:
            first, last, frames = span
            if not end <= first < last <= size:
                raise ValueError(
                    f"`span_durations` has {tuple(span)}; it takes (first token, token after the last, frames) "
                    f"in order, within {size} tokens, and spans that do not overlap."
                )
            if frames < last - first:
                raise ValueError(
                    f"`span_durations` has {frames} frames for {last - first} tokens, of which each takes one at least."
                )
            end = last
    return [[tuple(span) for span in spans] for spans in span_durations]


def fit_spans(frames: Tensor, spans: Spans) -> Tensor:
    """frames int64 (B, T_text) -> the same, but in each span in proportion such that they sum to what it is to have."""
    frames = frames.clone()
    for row, item in zip(frames, spans, strict=True):
        for first, last, total in item:
            row[first:last] = _apportioned(row[first:last].double().clamp(min=1), total)
    return frames


def _apportioned(weights: Tensor, total: int) -> Tensor:
    """weights (n,), total of n or more -> whole numbers of at least 1 in proportion to the weights, which sum to it."""
    is_least = torch.zeros_like(weights, dtype=torch.bool)
    while True:  # those whose share would be below 1 get 1, and the others divide the rest
        rest = (total - int(is_least.sum())) / weights[~is_least].sum()
        shares = torch.where(is_least, 1.0, weights * rest)
        if not (shares < 1).any():
            break
        is_least |= shares < 1
    ends = torch.floor(shares.cumsum(0) + 0.5).long()
    ends[-1] = total
    return ends.diff(prepend=ends.new_zeros(1))
