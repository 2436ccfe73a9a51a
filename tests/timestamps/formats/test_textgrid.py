"""TextGrids, as praatio reads them."""

import pytest


def test_a_textgrid_is_read_by_praatio_and_covers_the_whole_speech(write, timestamps):
    textgrid = pytest.importorskip("praatio.textgrid")
    found = textgrid.openTextgrid(str(write("a.TextGrid")), includeEmptyIntervals=True, reportingMode="error")
    end = timestamps["sentence"][-1]["end"]
    assert found.tierNames == ("words", "phones") and (found.minTimestamp, found.maxTimestamp) == (0, end)
    for name, unit in (("words", "word"), ("phones", "phoneme")):
        entries = found.getTier(name).entries
        bounds = [0, *(bound for entry in entries for bound in (entry.start, entry.end)), end]
        assert bounds[::2] == bounds[1::2]
        spoken = [item for item in timestamps[unit] if item["start"] < item["end"]]
        labelled = [entry for entry in entries if entry.label]
        assert [(entry.start, entry.end) for entry in labelled] == [(item["start"], item["end"]) for item in spoken]
        labels = " ".join(entry.label for entry in labelled)
        assert labels.split() == " ".join(item["text"] for item in timestamps[unit]).split()
