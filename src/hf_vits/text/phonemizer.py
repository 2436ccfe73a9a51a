"""Text to phonemes with espeak-ng, in the two ways that published voices were trained with.

"vits" (original VITS, Coqui) takes the punctuation out before espeak sees it and puts it back unchanged.
"piper" lets espeak find the clauses and keeps of the punctuation only what ends a clause.
"""

import functools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator

from hf_vits.text import espeak
from hf_vits.text.espeak_chunks import cannot_speak
from hf_vits.text.espeak_process import EspeakEndedError
from hf_vits.text.normalizers import collapse_white_space
from hf_vits.text.offsets import Span, TextWithOffsets
from hf_vits.text.phoneme_blocks import RAW_BLOCK, speak_around
from hf_vits.text.word_alignment import Work, pair

STYLES = ("vits", "piper")
# The marks that the original VITS voices have symbols for. phonemizer takes brackets for marks too, if it is not told
# otherwise; these voices have no symbol for them, so that brackets would only cut their phrases.
VITS_MARKS = ';:,.!?¡¿—…"«»“”'
_MARKS = re.compile(rf"[{re.escape(VITS_MARKS)}][\s{re.escape(VITS_MARKS)}]*")
_LINE = re.compile(r"[^\n]+")
_SILENT = VITS_MARKS + "'‘’()[]{}<>-–，、；：．｡।॥،؛؟۔。！？「」『』·՝։፣።"
_WORD = re.compile(r"\S+")
_PARAGRAPH = re.compile(r"\n\s*\n")
_ELLIPSIS = re.compile(r"\.\s?\.|…")
# What piper-tts 1.8.0 writes for each mark at which espeak ends a clause. The marks without one end a sentence.
_ENDINGS = {
    ", ": ",،՝፣᠂",
    "; ": ";؛፤\u0387–—",
    ": ": ":፥፦",
    ". ": ".۔።᠃｡",
    "? ": "?؟፧\u037e",
    "! ": "!",
    " ": "。！？．।॥։෴།༎჻፨",
}
_ENDING = {mark: ending for ending, marks in _ENDINGS.items() for mark in marks}
_CLAUSE_MARK = re.compile(f"[{re.escape(''.join(_ENDING))}]")


def phonemize(text: TextWithOffsets, voice: str, style: str = "vits") -> TextWithOffsets:
    """The phonemes of a text; what stands in `[[ ]]` is taken as phonemes already.

    Each phoneme spans the word it speaks, or the whole clause where espeak's words cannot be told apart. Languages
    written without spaces, such as Chinese, Japanese and Thai, have clauses only.

    Raises:
        ImportError: espeak-ng is not installed.
        ValueError: espeak-ng has no such voice.
    """
    speak = _vits if style == "vits" else _piper
    if RAW_BLOCK.search(text.text):
        return speak_around(text, voice, lambda part: speak(part, voice))
    return speak(text, voice)


def _vits(text: TextWithOffsets, voice: str) -> TextWithOffsets:
    """Each line on its own, a space between, even next to a line that cannot be spoken; blank lines leave nothing."""
    lines = [_phrases(text.slice(*line.span())) for line in _LINE.finditer(text.text) if line[0].strip()]
    phrases = [phrase for line in lines for phrase, _ in line if phrase.text.strip()]
    clauses = iter(espeak.clauses_of([phrase.text for phrase in phrases], voice) if phrases else [])
    work = Work(len(text.text))
    return _joined([_vits_line(line, clauses, voice, work) for line in lines], text)


def _phrases(line: TextWithOffsets) -> list[tuple[TextWithOffsets, TextWithOffsets]]:
    """What stands between marks, and the marks after it with the white space around them."""
    found, position = [], 0
    for match in _MARKS.finditer(line.text):
        phrase = line.slice(position, position + len(line.text[position : match.start()].rstrip()))
        found.append((phrase, collapse_white_space(line.slice(position + len(phrase.text), match.end()))))
        position = match.end()
    last = line.slice(position, position + len(line.text[position:].rstrip()))
    return [*found, (last, last.slice(0, 0))]


def _vits_line(
    phrases: Iterable[tuple], clauses: Iterator[list[espeak.Clause]], voice: str, work: Work
) -> TextWithOffsets:
    """Phrases are spoken, as the next of `clauses`; the marks between them stay."""
    pieces = []
    for phrase, marks in phrases:
        spoken = [_spoken(phrase, clause, voice, work) for clause in (next(clauses) if phrase.text.strip() else [])]
        pieces += [_joined([clause for clause in spoken if clause.text], phrase), marks]
    return TextWithOffsets.join(pieces, pieces[0].spans is not None)


def _piper(text: TextWithOffsets, voice: str) -> TextWithOffsets:
    """Clauses are spoken, each with the one mark that ended it; sentences are separated by a space."""
    track, pieces, work = text.spans is not None, [], Work(len(text.text))
    for clause in espeak.clauses(text.text, voice):
        if not clause.phonemes:  # marks alone; what ended the clause before stands already
            continue
        spoken = _spoken(text, clause, voice, work)
        ending, at = _clause_ending(text.text[clause.start : clause.end])
        span = (0, 0)
        if track and ending:
            place = clause.start + at
            last = spoken.spans[-1][1] if spoken.spans else 0  # a symbol after the mark may have been spoken
            start, end = text.span(place, min(place + 1, clause.end))
            span = (max(last, start), max(last, end))
        pieces += [spoken, TextWithOffsets(ending, [span] * len(ending) if track else None)]
    whole = TextWithOffsets.join(pieces, track)
    # Piper calls the voice once per sentence, so no space follows the last one; after a comma there is one.
    between = whole.text.endswith(" ") and whole.text[-2:-1] not in (",", ":", ";")
    return whole.slice(0, len(whole.text) - between)


def _clause_ending(clause: str) -> tuple[str, int]:
    """What piper writes for the end of a clause, and where in the clause it stands."""
    tail = len(clause)
    while tail and not _is_spoken(clause[tail - 1]):
        tail -= 1
    if paragraph := _PARAGRAPH.search(clause, tail):
        return " ", paragraph.start()
    if not any(map(str.isalnum, clause)):  # espeak takes no mark for an end before it has seen a letter or a digit
        return " ", len(clause)
    mark, ellipsis = _CLAUSE_MARK.search(clause, tail), _ELLIPSIS.search(clause, tail)
    if ellipsis and (mark is None or ellipsis.start() <= mark.start()):
        return "", len(clause)  # as Piper does, what follows is not even separated
    if mark is None:
        return " ", len(clause)  # espeak ran out of room
    return _ENDING[mark[0]], mark.start()


def _spoken(text: TextWithOffsets, clause: espeak.Clause, voice: str, work: Work) -> TextWithOffsets:
    """A clause's phonemes; each spans its word, a space spans what lies between two words."""
    if text.spans is None or not clause.phonemes:
        return TextWithOffsets(clause.phonemes, None if text.spans is None else [])
    words = clause.phonemes.split(" ")
    spans = _word_spans(text, clause, words, voice, work)
    out: list[Span] = []
    for i, (word, span) in enumerate(zip(words, spans, strict=True)):
        if i:
            before = spans[i - 1]
            out.append((before[1], span[0]) if before[1] <= span[0] else before)
        out += [span] * len(word)
    return TextWithOffsets(clause.phonemes, out)


def _word_spans(text: TextWithOffsets, clause: espeak.Clause, spoken: list[str], voice: str, work: Work) -> list[Span]:
    """The original span of each spoken word; of the whole clause when the words cannot be told apart."""
    words = list(_WORD.finditer(text.text, clause.start, clause.end))
    alone = _alone([word[0] for word in words], voice)
    groups = pair(alone, spoken, work)
    if groups is None:
        first, last = (words[0].start(), words[-1].end()) if words else (clause.start, clause.end)
        return [text.span(first, last)] * len(spoken)
    spans = []
    for first, last, spoken_first, spoken_last in groups:
        audible = [i for i in range(first, last) if alone[i]] or [first, last - 1]  # "c'est ?" is "c'est"
        written = text.span(_trimmed(words[audible[0]])[0], _trimmed(words[audible[-1]])[1])
        spans += [written] * (spoken_last - spoken_first)
    return spans


def _alone(words: list[str], voice: str) -> list[str]:
    """Words spoken alone. Stray marks are not: they are silent, and some crash espeak in some voices."""
    spoken = iter(espeak.words_phonemes([word for word in words if any(map(_is_spoken, word))], voice))
    return [next(spoken) if any(map(_is_spoken, word)) else "" for word in words]


def _is_spoken(character: str) -> bool:
    """Whether a character has a name or a sound in a text: letters, digits, "&", currency and mathematical signs."""
    return character.isalnum() or character in "&@%#" or unicodedata.category(character) in ("Sc", "Sm", "So")


def _trimmed(word: re.Match) -> Span:
    """A word's place without the silent marks at its ends; all of it if it is nothing else."""
    start = word.start() + len(word[0]) - len(word[0].lstrip(_SILENT))
    end = word.start() + len(word[0].rstrip(_SILENT))
    return (start, end) if start < end else word.span()


def _joined(pieces: list[TextWithOffsets], text: TextWithOffsets) -> TextWithOffsets:
    """The pieces of a text with a space between, which spans what lies between."""
    track = text.spans is not None
    out, end = pieces[:1], text.spans[0][0] if text.spans else 0
    for before, after in zip(pieces, pieces[1:], strict=False):
        if track and before.spans:
            end = before.spans[-1][1]
        start = max(end, after.spans[0][0]) if track and after.spans else end
        out += [TextWithOffsets(" ", [(end, start)] if track else None), after]
    return TextWithOffsets.join(out, track)


_IPA_APART = espeak.IPA | ord("_") << 8  # phoneme mode: the phonemes of a word separated by underscores


def upstream_phonemes(text: str) -> str:
    """Return the phonemes of a text.

    Raises:
        ImportError: phonemizer is not installed, or espeak-ng's library is not found.
        ValueError: espeak-ng crashes at the text, with which stock ends the process.
    """
    lines = [line for line in text.split(os.linesep) if line.strip()]
    return os.linesep.join(_backend().phonemize(lines, strip=True)) if lines else ""


@functools.cache
def _backend():
    """phonemizer's espeak backend, which has espeak-ng run in a process of its own."""
    try:
        from phonemizer.backend import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
    except ImportError as error:
        raise ImportError(
            "`upstream_compatible=True` phonemizes with the package phonemizer, which is not installed. "
            'Run `pip install "hf_vits[phonemes]"`, or leave the option off.'
        ) from error
    try:
        EspeakWrapper.library()
    except RuntimeError:  # neither chosen by the user nor installed on the system
        library, data = espeak.library_paths()
        EspeakWrapper.set_library(library)
        EspeakWrapper.set_data_path(data)
    backend = EspeakBackend("en-us", preserve_punctuation=True, with_stress=True)
    backend._espeak = _Espeak()
    return backend


class _Espeak:
    """The one method that phonemizer's backend calls of its wrapper of the library."""

    def text_to_phonemes(self, text: str, tie: str | None = None) -> str:
        """Return the phonemes of a line, as the wrapper does."""
        text = text.partition("\0")[0]  # where a text ends in C
        try:
            (clauses,) = espeak.spoken([text], "en-us", _IPA_APART)
        except EspeakEndedError as error:
            if error.fresh:
                raise cannot_speak(text, error) from error
            return self.text_to_phonemes(text, tie)  # an earlier text may have been the reason
        return " ".join(phonemes for _, phonemes in clauses if phonemes)
