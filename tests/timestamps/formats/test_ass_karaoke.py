"""Karaoke of Advanced SubStation, as pysubs2 reads it."""

import pytest


def test_karaoke_of_advanced_substation_is_read_by_pysubs2_and_sums_to_its_cues(write, cues):
    pysubs2 = pytest.importorskip("pysubs2")
    found = pysubs2.load(str(write("a.ass")))
    for event, cue in zip(found, cues, strict=True):
        assert (event.start, event.end) == (round(cue.start * 100) * 10, round(cue.end * 100) * 10)
        lengths = [int(part.split("}")[0]) for part in event.text.split("{\\k")[1:]]
        assert sum(lengths) * 10 == event.end - event.start and len(lengths) == len(cue.words)
        shown = event.text.replace("\\{", "(").replace("\\}", ")")
        for part in shown.split("{\\k")[1:]:
            shown = shown.replace("{\\k" + part.split("}")[0] + "}", "", 1)
        expected = cue.text.replace("\n", "\\N").replace("{", "(").replace("}", ")")
        assert shown.replace("\u2060", "") == expected
