"""SubRip subtitles (.srt): numbered cues with milliseconds after a comma, UTF-8.

1
00:00:00,050 --> 00:00:01,210
Dr. Smith paid
"""

from hf_vits.timestamps.formats import FORMATS, SpeechTimes


@FORMATS.register("srt")
def srt(speech: SpeechTimes) -> str:
    """
    Return the cues of speech as SubRip subtitles.

    Args:
        speech ([`SpeechTimes`]):
            The timestamps of a text.
    """
    blocks = []
    for number, cue in enumerate(speech.cues, 1):
        blocks.append(f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{cue.text}\n")
    return "\n".join(blocks)


def clock(seconds: float, point: str = ".") -> str:
    """Return seconds as HH:MM:SS.mmm."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{point}{milliseconds % 1000:03d}"
