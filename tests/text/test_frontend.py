import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_vits.text.frontend import add_special_spans


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 1), (1, 2)], [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 2)]),
        ([(1, 4), (1, 4), (5, 6)], [(1, 1), (1, 1), (1, 4), (1, 4), (1, 4), (5, 5), (5, 6), (6, 6), (6, 6)]),
    ],
)
def test_a_blank_within_a_word_has_its_span_and_one_between_two_is_empty(spans, expected):
    assert add_special_spans(spans, blanks=True, bos=True, eos=True) == expected


@given(st.lists(st.integers(0, 9), min_size=2, max_size=20).map(sorted), st.booleans(), st.booleans())
def test_starts_and_ends_never_decrease(places, blanks, ends):
    spans = list(zip(places, places[1:], strict=False))
    spans = [span for span in spans for _ in range(1 + span[0] % 3)]
    out = add_special_spans(spans, blanks, ends, ends)
    assert len(out) == (2 * len(spans) + 1 if blanks else len(spans)) + 2 * ends
    assert [start for start, _ in out] == sorted(start for start, _ in out)
    assert [end for _, end in out] == sorted(end for _, end in out)
