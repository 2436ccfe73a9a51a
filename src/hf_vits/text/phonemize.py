"""Text to phonemes with espeak-ng, in the two ways that published voices were trained with.

"vits" (original VITS, Coqui) takes the punctuation out before espeak sees it and puts it back unchanged.
"piper" lets espeak find the clauses and keeps of the punctuation only what ends a clause.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from hf_vits.text import espeak
from hf_vits.text.normalize import collapse_white_space
from hf_vits.text.phoneme_blocks import RAW_BLOCK, speak_around
from hf_vits.text.tracked import Span, TrackedText
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


def phonemize(text: TrackedText, voice: str, style: str = "vits") -> TrackedText:
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


def _vits(text: TrackedText, voice: str) -> TrackedText:
    """Each line on its own, a space between, even next to a line that cannot be spoken; blank lines leave nothing."""
    lines = [_phrases(text.slice(*line.span())) for line in _LINE.finditer(text.text) if line[0].strip()]
    phrases = [phrase for line in lines for phrase, _ in line if phrase.text.strip()]
    clauses = iter(espeak.clauses_of([phrase.text for phrase in phrases], voice) if phrases else [])
    work = Work(len(text.text))
    return _joined([_vits_line(line, clauses, voice, work) for line in lines], text)


def _phrases(line: TrackedText) -> list[tuple[TrackedText, TrackedText]]:
    """What stands between marks, and the marks after it with the white space around them."""
    found, position = [], 0
    for match in _MARKS.finditer(line.text):
        phrase = line.slice(position, position + len(line.text[position : match.start()].rstrip()))
        found.append((phrase, collapse_white_space(line.slice(position + len(phrase.text), match.end()))))
        position = match.end()
    last = line.slice(position, position + len(line.text[position:].rstrip()))
    return [*found, (last, last.slice(0, 0))]


def _vits_line(phrases: Iterable[tuple], clauses: Iterator[list[espeak.Clause]], voice: str, work: Work) -> TrackedText:
    """Phrases are spoken, as the next of `clauses`; the marks between them stay."""
    pieces = []
    for phrase, marks in phrases:
        spoken = [_spoken(phrase, clause, voice, work) for clause in (next(clauses) if phrase.text.strip() else [])]
        pieces += [_joined([clause for clause in spoken if clause.text], phrase), marks]
    return TrackedText.join(pieces, pieces[0].spans is not None)


def _piper(text: TrackedText, voice: str) -> TrackedText:
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
        pieces += [spoken, TrackedText(ending, [span] * len(ending) if track else None)]
    whole = TrackedText.join(pieces, track)
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


def _spoken(text: TrackedText, clause: espeak.Clause, voice: str, work: Work) -> TrackedText:
    """A clause's phonemes; each spans its word, a space spans what lies between two words."""
    if text.spans is None or not clause.phonemes:
        return TrackedText(clause.phonemes, None if text.spans is None else [])
    words = clause.phonemes.split(" ")
    spans = _word_spans(text, clause, words, voice, work)
    out: list[Span] = []
    for i, (word, span) in enumerate(zip(words, spans, strict=True)):
        if i:
            before = spans[i - 1]
            out.append((before[1], span[0]) if before[1] <= span[0] else before)
        out += [span] * len(word)
    return TrackedText(clause.phonemes, out)


def _word_spans(text: TrackedText, clause: espeak.Clause, spoken: list[str], voice: str, work: Work) -> list[Span]:
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


def _joined(pieces: list[TrackedText], text: TrackedText) -> TrackedText:
    """The pieces of a text with a space between, which spans what lies between."""
    track = text.spans is not None
    out, end = pieces[:1], text.spans[0][0] if text.spans else 0
    for before, after in zip(pieces, pieces[1:], strict=False):
        if track and before.spans:
            end = before.spans[-1][1]
        start = max(end, after.spans[0][0]) if track and after.spans else end
        out += [TrackedText(" ", [(end, start)] if track else None), after]
    return TrackedText.join(out, track)
