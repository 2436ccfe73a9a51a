"""Files of SubRip, as the package srt reads them."""

import pytest


def test_subrip_is_read_by_the_package_srt(write, cues):
    srt = pytest.importorskip("srt")
    found = list(srt.parse(write("a.srt").read_text(encoding="utf-8")))
    assert [item.index for item in found] == list(range(1, len(cues) + 1))
    for item, cue in zip(found, cues, strict=True):
        assert item.content == cue.text
        assert item.start.total_seconds() == pytest.approx(cue.start, abs=0.00051)
        assert item.end.total_seconds() == pytest.approx(cue.end, abs=0.00051)
