"""Blanks, frame and padding: how the symbols of a text are laid out in a voice's input, and back."""

from collections.abc import Sequence
from typing import Any

from hf_vits.text.tracked import Span

_MOST_LETTERS = 2  # of the pad letter at the end of a word; a longer run is padding


def framed(symbols: list, blank: Any | None, bos: Any | None, eos: Any | None) -> list:
    """[bos] blank s1 blank s2 ... sn blank [eos]; what is None is left out."""
    if blank is not None:
        spread = [blank] * (2 * len(symbols) + 1)
        spread[1::2] = symbols
        symbols = spread
    return [*([] if bos is None else [bos]), *symbols, *([] if eos is None else [eos])]


def framed_spans(spans: list[Span], blanks: bool, bos: bool, eos: bool) -> list[Span]:
    """Spans laid out as by `framed`; starts and ends never run backwards.

    Blanks and frame are empty, at the start of what follows or the end of all. A blank within a span, such as that of
    a word, has that span.
    """
    start, end = (spans[0][0], spans[0][0]), (spans[-1][1], spans[-1][1])
    out, before = [start] if bos else [], start
    for span in spans:
        out += [(span[0], max(before[1], span[0])), span] if blanks else [span]
        before = span
    return out + [end] * (bool(blanks) + bool(eos))


def unframed(
    ids: Sequence[int], blank: int | None, bos: int | None, eos: int | None, pad: int | None, pad_is_letter: bool
) -> Sequence[int]:
    """The ids of the symbols alone, without padding on the right; undoes `framed`."""
    if bos is not None and ids[:1] == [bos]:
        ids = ids[1:]
    if eos is not None and eos in ids:
        ids, pad = ids[: len(ids) - 1 - ids[::-1].index(eos)], None
    if blank is None:
        return _without_padding(ids, pad, pad_is_letter)
    if pad != blank:  # a sequence ends with a blank, so nothing is ambiguous
        return _without_padding(ids, pad, pad_is_letter=False)[1::2]
    return _without_padding(ids[1::2], pad, pad_is_letter)


def _without_padding(ids: Sequence[int], pad: int | None, pad_is_letter: bool) -> Sequence[int]:
    end = len(ids)
    while end and ids[end - 1] == pad:
        end -= 1
    return ids if pad_is_letter and len(ids) - end <= _MOST_LETTERS else ids[:end]


def masked(ids: Sequence, mask: Sequence) -> list:
    """The ids where the mask is not 0, for a sequence or a batch."""
    if ids and isinstance(ids[0], Sequence):
        return [masked(row, row_mask) for row, row_mask in zip(ids, mask, strict=True)]
    return [index for index, real in zip(ids, mask, strict=True) if real]
