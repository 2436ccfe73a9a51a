"""Files of timestamps: one function per format, which returns the content of the file as text."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hf_vits.text.paragraphs import columns
from hf_vits.timestamps.cues import Cue, Word, cues
from hf_vits.utils.formatting import quoted
from hf_vits.utils.registry import Registry

FORMATS: Registry = Registry(
    "format of timestamps",
    {
        "srt": "hf_vits.timestamps.formats.srt",
        "vtt": "hf_vits.timestamps.formats.webvtt",
        "ass": "hf_vits.timestamps.formats.ass_karaoke",
        "textgrid": "hf_vits.timestamps.formats.textgrid",
        "json": "hf_vits.timestamps.formats.json_lists",
        "ctm": "hf_vits.timestamps.formats.word_lines",
        "txt": "hf_vits.timestamps.formats.word_lines",
    },
)
"""Formats by the ending of a file, in lower case: functions of a [`SpeechTimes`] that return a string."""


@dataclass(frozen=True)
class SpeechTimes:
    """
    The timestamps of one text.

    Args:
        name (`str`):
            Name of the recording, for formats that have one.
        sentences, words (`list[dict]`):
            Timestamps, as the pipeline returns them.
        phonemes, characters (`list[dict]`, *optional*)
        seconds (`float`, *optional*):
            Duration of a recording, which may last longer than its last sentence.
        marks (`list[dict]`, *optional*):
            Names and times of the marks of SSML.
    """

    name: str
    sentences: Sequence[dict]
    words: Sequence[dict]
    phonemes: Sequence[dict] = field(default_factory=list)
    characters: Sequence[dict] = field(default_factory=list)
    seconds: float | None = None
    marks: Sequence[dict] = field(default_factory=list)

    @property
    def duration(self) -> float:
        """Seconds of the speech: its last sentence ends with it, unless `seconds` are given."""
        if self.seconds is not None:
            return self.seconds
        return self.sentences[-1]["end"] if self.sentences else 0.0

    @property
    def cues(self) -> list[Cue]:
        """The words as cues of subtitles."""
        return cues(self._words(), self.duration)

    def _words(self) -> list[Word]:
        """Return the words with the marks and spaces after them, which their sentences have."""
        out: list[Word] = []
        texts = iter([sentence["text"] for sentence in self.sentences])
        text, place = next(texts, ""), 0
        for word in self.words:
            while (found := text.find(word["text"], place)) < 0:
                _end_sentence(out, text[place:])
                text, place = next(texts, None), 0
                if text is None:
                    raise ValueError(f"The word {quoted(word['text'])} is in no sentence; give timestamps of one call.")
            if out and not out[-1].ends_sentence:
                out[-1].text += text[place:found]
            place = found + len(word["text"])
            out.append(Word(word["text"], word["start"], word["end"]))
        _end_sentence(out, text[place:])
        return out


def _end_sentence(words: list[Word], rest: str) -> None:
    """Append the marks at the end of a sentence to its last word, and a space if its script has them."""
    if words and not words[-1].ends_sentence:
        words[-1].text += rest
        words[-1].text += " " * (columns(words[-1].text[-1]) == 1)
        words[-1].ends_sentence = True
