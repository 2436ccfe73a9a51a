"""Files of WebVTT, as the package webvtt reads them."""

import re

import pytest


def test_webvtt_is_read_by_the_package_webvtt(write, cues):
    webvtt = pytest.importorskip("webvtt")
    found = webvtt.read(str(write("a.vtt"))).captions
    for caption, cue in zip(found, cues, strict=True):
        assert caption.start_in_seconds == int(cue.start) and caption.end_in_seconds == int(cue.end)
        shown = caption.text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert shown.split() == cue.text.split()


def test_the_karaoke_tags_of_webvtt_increase_and_are_the_words_that_begin_within_a_cue(write, cues):
    blocks = write("a.vtt").read_text(encoding="utf-8").split("\n\n")
    assert blocks[0] == "WEBVTT" and len(blocks) == len(cues) + 1
    for block, cue in zip(blocks[1:], cues, strict=True):
        times, text = block.split("\n", 1)
        start, end = times.split(" --> ")
        tags = re.findall(r"<(\d\d:\d\d:\d\d\.\d{3})>", text)
        assert [start, *tags, end] == sorted({start, *tags, end})
        assert len(tags) == len({word.start for word in cue.words} - {cue.start})
        assert "-->" not in text
