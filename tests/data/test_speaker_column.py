"""Which speakers a column names."""

import math

import pytest

from hf_vits.data.columns import check_speakers_are_not_mixed, speakers_of

datasets = pytest.importorskip("datasets")


@pytest.mark.parametrize("value", [None, "", " ", math.nan])
def test_cells_without_a_name_name_nobody(value):
    assert speakers_of("who", datasets.Dataset.from_dict({"who": [value]})) == []


def test_names_of_equal_numbers_have_one_order_whatever_that_of_their_rows():
    for names in (["1", "01", "001", "2"], ["2", "001", "1", "01"]):
        assert speakers_of("who", datasets.Dataset.from_dict({"who": names})) == ["001", "01", "1", "2"]


def test_several_speakers_are_not_trained_as_one_voice_unless_that_is_said(caplog):
    data = datasets.Dataset.from_dict({"speaker_id": [1, 0, 1]}).cast_column(
        "speaker_id", datasets.ClassLabel(names=["zoe", "ann"])
    )
    with pytest.raises(ValueError, match=r"'speaker_id' .*2 speakers \(ann, zoe\).*`--speaker_column speaker_id`"):
        check_speakers_are_not_mixed(data, None)
    for unmixed, column in ((data, ""), (data, "speaker_id"), (data.select([0, 2]), None)):
        check_speakers_are_not_mixed(unmixed, column)
    assert not caplog.messages
    check_speakers_are_not_mixed(data.to_iterable_dataset(), None)
    assert "`--speaker_column speaker_id`" in caplog.text
