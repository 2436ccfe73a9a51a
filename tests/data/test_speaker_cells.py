"""Who speaks, however a cell says it."""

import math

import pytest

from hf_vits.data.columns import speaker_name

datasets = pytest.importorskip("datasets")


@pytest.mark.parametrize("value", [None, "", " ", math.nan])
def test_a_cell_without_a_name_is_nobody(value):
    assert speaker_name(value) is None


@pytest.mark.parametrize(("value", "name"), [(" ann ", "ann"), (7, "7"), (7.0, "7"), ("7", "7"), ("7.5", "7.5")])
def test_a_name_is_what_stands_between_blanks_and_a_number_that_of_its_digits(value, name):
    assert speaker_name(value) == name


def test_the_number_of_a_name_is_the_name_and_that_of_none_is_nobody():
    labels = datasets.ClassLabel(names=["zoe", "ann"])
    assert [speaker_name(value, labels) for value in (0, 1, -1, None, "ann")] == ["zoe", "ann", None, None, "ann"]
