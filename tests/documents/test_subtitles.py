"""The words and times of subtitles in three formats."""

import sys

import pytest

from hf_vits.documents.subtitles import is_subtitles, read_cues

SRT = """2
00:00:04,000 --> 00:00:05,500
- Who is
- there?

1
00:00:01,250 --> 00:00:02,500
<i>Hello</i> {\\an8}&amp; welcome

3
00:00:06,000 --> 00:00:07,000
♪ ♪
"""
VTT = """WEBVTT

00:01.250 --> 00:02.500 align:start
<v Bob>Hello <00:00:01.500><c>&amp; welcome</c>

00:04.000 --> 00:05.500
Who is
there?
"""
ASS = """[Script Info]
ScriptType: v4.00+

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.25,0:00:02.50,Default,,0,0,0,,{\\k20}Hello {\\k30}& welcome
Dialogue: 0,0:00:04.00,0:00:05.50,Default,,0,0,0,,Who is\\Nthere?
"""
CUES = [("Hello & welcome", 1.25, 2.5), ("Who is there?", 4.0, 5.5)]


@pytest.mark.parametrize(("content", "ending"), [(SRT, ".srt"), (VTT, ".vtt"), (ASS, ".ass")])
def test_cues_are_their_words_and_times_in_order(content, ending):
    pytest.importorskip("pysubs2")
    assert read_cues(content, ending) == CUES
    assert is_subtitles(f"a{ending.upper()}") and not is_subtitles("a.txt")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "no cue with words"),
        ("Some text", "no cue with words"),
        ("1\n99:00:00,000 --> 99:00:01,000\nA\n", "up to 356400 s; 50000 in a day are allowed"),
    ],
)
def test_what_cannot_be_spoken_is_refused(content, named):
    pytest.importorskip("pysubs2")
    with pytest.raises(ValueError, match=named):
        read_cues(content, ".srt")


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pysubs2", None)
    with pytest.raises(ImportError, match=r'pip install "hf_vits\[documents\]"'):
        read_cues(SRT, ".srt")
