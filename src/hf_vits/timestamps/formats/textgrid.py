"""Praat's annotation (.TextGrid): tiers "words" and "phones" as the Montreal Forced Aligner names them.

Intervals cover the whole sound without a gap; silence has an empty text.
"""

from collections.abc import Sequence

from hf_vits.timestamps.formats import FORMATS, SpeechTimes


@FORMATS.register("textgrid")
def textgrid(speech: SpeechTimes) -> str:
    """
    Return the words of speech, and its phonemes if it has any, as a TextGrid in the long form.

    Args:
        speech ([`SpeechTimes`]):
            The timestamps of a text.
    """
    tiers = {"words": speech.words, **({"phones": speech.phonemes} if speech.phonemes else {})}
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {speech.duration!r}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, times) in enumerate(tiers.items(), 1):
        intervals = _intervals(times, speech.duration)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += [
            "        xmin = 0",
            f"        xmax = {speech.duration!r}",
            f"        intervals: size = {len(intervals)}",
        ]
        for place, (start, end, text) in enumerate(intervals, 1):
            quoted = text.replace('"', '""')
            lines += [f"        intervals [{place}]:", f"            xmin = {start!r}", f"            xmax = {end!r}"]
            lines.append(f'            text = "{quoted}"')
    return "\n".join(lines) + "\n"


def _intervals(times: Sequence[dict], duration: float) -> list[tuple[float, float, str]]:
    """Return intervals from 0 to the end; a text without time is appended to the one before, or put before the next."""
    out: list[tuple[float, float, str]] = []
    at, waiting = 0.0, ""
    for item in times:
        start, end, text = item["start"], item["end"], item["text"]
        if start == end:
            if out and not waiting:
                out[-1] = (*out[-1][:2], f"{out[-1][2]} {text}".strip())
            else:
                waiting = f"{waiting} {text}".strip()
            continue
        if at < start:
            out.append((at, start, ""))
        out.append((start, end, f"{waiting} {text}".strip()))
        at, waiting = end, ""
    if at < duration:
        out.append((at, duration, waiting))
    return out
