"""WebVTT subtitles (.vtt), with a tag of its time before each word of a cue but the first, for karaoke.

WEBVTT

00:00:00.050 --> 00:00:01.210
Dr. <00:00:00.480>Smith <00:00:00.820>paid
"""

from hf_vits.timestamps.cues import Cue
from hf_vits.timestamps.formats import FORMATS, SpeechTimes
from hf_vits.timestamps.formats.srt import clock


@FORMATS.register("vtt")
def webvtt(speech: SpeechTimes) -> str:
    """
    Return the cues of speech as WebVTT.

    Args:
        speech ([`SpeechTimes`]):
            The timestamps of a text.
    """
    blocks = [f"{clock(cue.start)} --> {clock(cue.end)}\n{_karaoke(cue)}\n" for cue in speech.cues]
    return "\n".join(["WEBVTT\n", *blocks])


def _karaoke(cue: Cue) -> str:
    """Return the lines of a cue with the times of words, which must increase and lie within the cue."""
    last, end, lines = clock(cue.start), clock(cue.end), []
    for line in cue.lines:
        parts = []
        for word in line:
            time = clock(word.start)
            if last < time < end:  # two digits for hours at least, so that these compare as numbers up to 100 h
                parts.append(f"<{time}>")
                last = time
            parts.append(_escaped(word.text))
        lines.append("".join(parts).rstrip())
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
