r"""Advanced SubStation Alpha (.ass): cues whose words are highlighted when they are spoken, in hundredths of a second.

Dialogue: 0,0:00:00.05,0:00:01.21,Default,,0,0,0,,{\k43}Dr. {\k34}Smith {\k39}paid
"""

from hf_vits.timestamps.cues import Cue
from hf_vits.timestamps.formats import FORMATS, SpeechTimes

_HEADER = """[Script Info]
ScriptType: v4.00+
WrapStyle: 2

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,20,&H00FFFFFF,&H0000A5FF,&H00000000,&H64000000,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
_WORD_JOINER = "\u2060"  # after a backslash, so that it begins no command


@FORMATS.register("ass")
def ass_karaoke(speech: SpeechTimes) -> str:
    """
    Return the cues of speech with the karaoke command of each word.

    Args:
        speech ([`SpeechTimes`]):
            The timestamps of a text.
    """
    lines = []
    for cue in speech.cues:
        times = ",".join(map(_clock, (_hundredths(cue.start), _hundredths(cue.end))))
        lines.append(f"Dialogue: 0,{times},Default,,0,0,0,,{_karaoke(cue)}\n")
    return _HEADER + "".join(lines)


def _karaoke(cue: Cue) -> str:
    r"""Return the text, each word after the time to the next one, so that these times sum to that of the cue."""
    starts = [_hundredths(word.start) for word in cue.words] + [_hundredths(cue.end)]
    lengths = iter([after - before for before, after in zip(starts, starts[1:], strict=False)])
    lines = ["".join(f"{{\\k{next(lengths)}}}{_escaped(word.text)}" for word in line) for line in cue.lines]
    return r"\N".join(line.rstrip() for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\" + _WORD_JOINER).replace("{", r"\{").replace("}", r"\}")


def _hundredths(seconds: float) -> int:
    return round(seconds * 100)


def _clock(hundredths: int) -> str:
    minutes, rest = divmod(hundredths, 6000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 100:02d}.{rest % 100:02d}"
