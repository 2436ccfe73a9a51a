"""Which speakers a column names."""

import math

import pytest

from hf_vits.training.speaker_column import speakers_of

datasets = pytest.importorskip("datasets")


@pytest.mark.parametrize("value", [None, "", " ", math.nan])
def test_cells_without_a_name_name_nobody(value):
    assert speakers_of("who", datasets.Dataset.from_dict({"who": [value]})) == []


def test_names_of_equal_numbers_have_one_order_whatever_that_of_their_rows():
    for names in (["1", "01", "001", "2"], ["2", "001", "1", "01"]):
        assert speakers_of("who", datasets.Dataset.from_dict({"who": names})) == ["001", "01", "1", "2"]
