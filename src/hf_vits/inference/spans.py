"""Frames that spans of tokens are to have together, such as a phrase that is to last two seconds."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from hf_vits.utils.formatting import quoted

Spans = list[list[tuple[int, int, int]]]
"""For each item of a batch its spans: the first token, the one after the last, and the frames of all of them."""

MAX_FRAMES = 2**31
"""Frames of a span, which are counted as floats; what a call makes of them is limited with all others."""


def given_spans(span_durations: Any, mask: Tensor) -> Spans:
    """
    Return the spans of each item; mask (B, 1, T_text) is one at tokens.

    Raises:
        ValueError: if there is not one list for each item, for spans that overlap or are outside of the tokens, for
            what are no whole numbers, and for fewer frames than tokens.
    """
    batch = len(mask)
    if not isinstance(span_durations, Sequence) or len(span_durations) != batch:
        raise ValueError(f"`span_durations` must be a list of {batch}: a list of spans for each item of the batch.")
    for spans, is_token in zip(span_durations, mask.squeeze(1).bool(), strict=True):
        end, size = 0, int(is_token.sum())
        for span in spans:
            is_span = isinstance(span, Sequence) and len(span) == 3 and all(isinstance(one, Integral) for one in span)
            first, last, frames = span if is_span else (0, 0, 0)
            if not end <= first < last <= len(is_token) or not is_token[first:last].all():
                raise ValueError(
                    f"`span_durations` has {quoted(span)}; it takes (first token, token after the last, frames), whole "
                    f"numbers, in order, within the {size} tokens of the item, and spans that do not overlap."
                )
            if not last - first <= frames <= MAX_FRAMES:
                raise ValueError(
                    f"`span_durations` has {quoted(frames)} frames for {last - first} tokens; give one for each at "
                    f"least, and {MAX_FRAMES:,} at most."
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
    ends = torch.floor(shares.cumsum(0) + 0.5).long()  # the last one is the total, to rounding
    return ends.diff(prepend=ends.new_zeros(1))
