"""Formats with a line for each word.

CTM (.ctm) of NIST and Kaldi: recording, channel, start, duration, word, and confidence if there is one. Audacity's
labels (.txt), for its menu File > Import > Labels: start, end and word, separated by tabs. Times are seconds.

    chapter 1 0.046440 0.348299 Dr.
"""

from hf_vits.timestamps.formats import FORMATS, SpeechTimes


@FORMATS.register("ctm")
def ctm(speech: SpeechTimes) -> str:
    """
    Return the words of speech as lines of CTM; white space in names and words becomes an underscore.

    Args:
        speech ([`SpeechTimes`]):
            The timestamps of a text.
    """
    name, lines = "_".join(speech.name.split()), []
    for word in speech.words:
        text = "_".join(word["text"].split())
        confidence = f" {word['confidence']:.3f}" if "confidence" in word else ""
        lines.append(f"{name} 1 {word['start']:.6f} {word['end'] - word['start']:.6f} {text}{confidence}\n")
    return "".join(lines)


@FORMATS.register("txt")
def audacity(speech: SpeechTimes) -> str:
    """
    Return the words of speech as labels.

    Args:
        speech ([`SpeechTimes`]):
            The timestamps of a text.
    """
    return "".join(f"{w['start']:.6f}\t{w['end']:.6f}\t{' '.join(w['text'].split())}\n" for w in speech.words)
