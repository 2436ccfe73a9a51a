"""Convert text to phonemes with espeak-ng in the two styles that published models were trained with.

"vits" (original VITS, Coqui) removes the punctuation before espeak-ng and inserts it again unchanged. "piper" lets
espeak-ng find the clauses and keeps only the punctuation that ends a clause.
"""

import functools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator

from hf_vits.text import espeak
from hf_vits.text.espeak_chunks import ended_error
from hf_vits.text.espeak_process import EspeakEndedError
from hf_vits.text.normalizers import collapse_white_space
from hf_vits.text.offsets import Span, TextWithOffsets
from hf_vits.text.phoneme_blocks import BLOCK, IDEOGRAPHS, phonemize_around
from hf_vits.text.word_alignment import Budget, align, divide

STYLES = ("vits", "piper")
# Punctuation in the vocabulary of the original VITS models. phonemizer's default includes brackets, which are not in
# the vocabulary and would only divide phrases.
VITS_MARKS = ';:,.!?¡¿—…"«»“”'
_MARKS = re.compile(rf"[{re.escape(VITS_MARKS)}][\s{re.escape(VITS_MARKS)}]*")
_LINE = re.compile(r"[^\n]+")
_SILENT = VITS_MARKS + "'‘’()[]{}<>-–，、；：．｡।॥،؛؟۔。！？「」『』·՝։፣።"
_WORD = re.compile(rf"[{IDEOGRAPHS}]|[^\s{IDEOGRAPHS}]+")  # an ideograph is read as one syllable
_PARAGRAPH = re.compile(r"\n\s*\n")
_ELLIPSIS = re.compile(r"\.\s?\.|…")
# Output of piper-tts 1.8.0 for each mark at which espeak-ng ends a clause. Marks with " " end a sentence.
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
_IPA_WITH_SEPARATORS = espeak.IPA | ord("_") << 8  # phoneme mode with underscores between the phonemes of a word


def phonemize(text: TextWithOffsets, voice: str, style: str = "vits") -> TextWithOffsets:
    """Return the phonemes of a text; text in `[[ ]]` is taken as phonemes.

    Each phoneme spans its word, or the whole clause where phonemes cannot be aligned with words. In languages without
    spaces it spans its Chinese character, or all letters to the next mark, such as in Japanese and Thai.

    Raises:
        ImportError: if espeak-ng is not installed.
        ValueError: if espeak-ng has no such voice.
    """
    function = _vits if style == "vits" else _piper
    if BLOCK.search(text.text):
        return phonemize_around(text, voice, lambda part: function(part, voice))
    return function(text, voice)


def _vits(text: TextWithOffsets, voice: str) -> TextWithOffsets:
    """Phonemize line by line with a space between, also next to a line without phonemes; skip blank lines."""
    lines = [_phrases(text.slice(*line.span())) for line in _LINE.finditer(text.text) if line[0].strip()]
    phrases = [phrase for line in lines for phrase, _ in line if phrase.text.strip()]
    clauses = iter(espeak.clauses_of([phrase.text for phrase in phrases], voice) if phrases else [])
    budget = Budget(len(text.text))
    return _join([_vits_line(line, clauses, voice, budget) for line in lines], text)


def _phrases(line: TextWithOffsets) -> list[tuple[TextWithOffsets, TextWithOffsets]]:
    """Divide a line into phrases, each with the marks and the white space after it."""
    found, position = [], 0
    for match in _MARKS.finditer(line.text):
        phrase = line.slice(position, position + len(line.text[position : match.start()].rstrip()))
        found.append((phrase, collapse_white_space(line.slice(position + len(phrase.text), match.end()))))
        position = match.end()
    last = line.slice(position, position + len(line.text[position:].rstrip()))
    return [*found, (last, last.slice(0, 0))]


def _vits_line(
    phrases: Iterable[tuple], clauses: Iterator[list[espeak.Clause]], voice: str, budget: Budget
) -> TextWithOffsets:
    """Replace each phrase by the phonemes of the next `clauses`, and keep the marks."""
    parts = []
    for phrase, marks in phrases:
        found = next(clauses) if phrase.text.strip() else []
        phonemes = [_clause_phonemes(phrase, clause, voice, budget) for clause in found]
        parts += [_join([clause for clause in phonemes if clause.text], phrase), marks]
    return TextWithOffsets.join(parts, parts[0].spans is not None)


def _piper(text: TextWithOffsets, voice: str) -> TextWithOffsets:
    """Return the phonemes of each clause with the one mark that ended it, and a space between sentences."""
    track, parts, budget = text.spans is not None, [], Budget(len(text.text))
    for clause in espeak.clauses(text.text, voice):
        if not clause.phonemes:  # only marks; the end of the clause before is written already
            continue
        phonemes = _clause_phonemes(text, clause, voice, budget)
        ending, at = _clause_ending(text.text[clause.start : clause.end])
        span = (0, 0)
        if track and ending:
            place = clause.start + at
            last = phonemes.spans[-1][1] if phonemes.spans else 0  # a sign after the mark may have phonemes
            start, end = text.span(place, min(place + 1, clause.end))
            span = (max(last, start), max(last, end))
        parts += [phonemes, TextWithOffsets(ending, [span] * len(ending) if track else None)]
    whole = TextWithOffsets.join(parts, track)
    # Piper calls the model once per sentence, so no space follows the last one; after a comma there is one.
    ends_with_space = whole.text.endswith(" ") and whole.text[-2:-1] not in (",", ":", ";")
    return whole.slice(0, len(whole.text) - ends_with_space)


def _clause_ending(clause: str) -> tuple[str, int]:
    """Return Piper's output for the end of a clause, and the place of the mark in the clause."""
    tail = len(clause)
    while tail and not _has_phonemes(clause[tail - 1]):
        tail -= 1
    if paragraph := _PARAGRAPH.search(clause, tail):
        return " ", paragraph.start()
    if not any(map(str.isalnum, clause)):  # espeak-ng ends no clause before its first letter or digit
        return " ", len(clause)
    mark, ellipsis = _CLAUSE_MARK.search(clause, tail), _ELLIPSIS.search(clause, tail)
    if ellipsis and (mark is None or ellipsis.start() <= mark.start()):
        return "", len(clause)  # Piper does not even insert a space
    if mark is None:
        return " ", len(clause)  # the clause exceeded espeak-ng's buffers
    return _ENDING[mark[0]], mark.start()


def _clause_phonemes(text: TextWithOffsets, clause: espeak.Clause, voice: str, budget: Budget) -> TextWithOffsets:
    """Return a clause's phonemes, each with the span of its word; a space spans what is between two words."""
    if text.spans is None or not clause.phonemes:
        return TextWithOffsets(clause.phonemes, None if text.spans is None else [])
    words = clause.phonemes.split(" ")
    spans = _phoneme_spans(text, clause, words, voice, budget)
    out: list[Span] = []
    for i, of_word in enumerate(spans):
        if i:
            before, after = spans[i - 1][-1], of_word[0]
            out.append((before[1], after[0]) if before[1] <= after[0] else before)
        out += of_word
    return TextWithOffsets(clause.phonemes, out)


def _phoneme_spans(
    text: TextWithOffsets, clause: espeak.Clause, phonemes: list[str], voice: str, budget: Budget
) -> list[list[Span]]:
    """Return the original spans of the phonemes of each word of phonemes; that of the whole clause if they cannot be
    aligned with words."""
    words = list(_WORD.finditer(text.text, clause.start, clause.end))
    isolated = _isolated([word[0] for word in words], voice)
    groups = align(isolated, phonemes, budget)
    if groups is None:
        first, last = (words[0].start(), words[-1].end()) if words else (clause.start, clause.end)
        return [[text.span(first, last)] * len(word) for word in phonemes]
    spans = []
    for first, last, phonemes_first, phonemes_last in groups:
        voiced = [i for i in range(first, last) if isolated[i]] or [first, last - 1]  # "c'est ?" is "c'est"
        places = [_trimmed(words[i]) for i in voiced]
        if len(voiced) > 1 and phonemes_last - phonemes_first == 1 and all(isolated[i] for i in voiced):
            counts = divide(tuple(isolated[i] for i in voiced), phonemes[phonemes_first])
            pairs = zip(places, counts, strict=True)
            spans.append([text.span(*place) for place, count in pairs for _ in range(count)])
        else:
            span = text.span(places[0][0], places[-1][1])
            spans += [[span] * len(word) for word in phonemes[phonemes_first:phonemes_last]]
    return spans


def _isolated(words: list[str], voice: str) -> list[str]:
    """Return the phonemes of each word on its own. Lone marks have none, and some crash espeak-ng in some voices."""
    phonemes = iter(espeak.words_phonemes([word for word in words if any(map(_has_phonemes, word))], voice))
    return [next(phonemes) if any(map(_has_phonemes, word)) else "" for word in words]


def _has_phonemes(character: str) -> bool:
    """Return True for letters, digits, "&", currency and mathematical signs."""
    return character.isalnum() or character in "&@%#" or unicodedata.category(character) in ("Sc", "Sm", "So")


def _trimmed(word: re.Match) -> Span:
    """Return a word's place without the silent marks at its ends; all of it if it consists of them."""
    start = word.start() + len(word[0]) - len(word[0].lstrip(_SILENT))
    end = word.start() + len(word[0].rstrip(_SILENT))
    return (start, end) if start < end else word.span()


def _join(parts: list[TextWithOffsets], text: TextWithOffsets) -> TextWithOffsets:
    """Join parts of a text by spaces that span what is between the parts."""
    track = text.spans is not None
    out, end = parts[:1], text.spans[0][0] if text.spans else 0
    for before, after in zip(parts, parts[1:], strict=False):
        if track and before.spans:
            end = before.spans[-1][1]
        start = max(end, after.spans[0][0]) if track and after.spans else end
        out += [TextWithOffsets(" ", [(end, start)] if track else None), after]
    return TextWithOffsets.join(out, track)


def upstream_phonemes(text: str) -> str:
    """Return the phonemes of a text as `transformers.VitsTokenizer` does.

    Raises:
        ImportError: if phonemizer is not installed, or espeak-ng's library is not found.
        ValueError: if espeak-ng crashes at the text, which would end the process with transformers.
    """
    lines = [line for line in text.split(os.linesep) if line.strip()]
    return os.linesep.join(_backend().phonemize(lines, strip=True)) if lines else ""


@functools.cache
def _backend():
    """Return phonemizer's espeak backend, with espeak-ng in a process of its own."""
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
    except RuntimeError:  # neither configured by the user nor installed on the system
        library, data = espeak.library_paths()
        EspeakWrapper.set_library(library)
        EspeakWrapper.set_data_path(data)
    backend = EspeakBackend("en-us", preserve_punctuation=True, with_stress=True)
    backend._espeak = _Espeak()
    return backend


class _Espeak:
    """Replace phonemizer's wrapper of the library; its backend calls only this method."""

    def text_to_phonemes(self, text: str, tie: str | None = None) -> str:
        """Return the phonemes of a line, as the wrapper does."""
        text = text.partition("\0")[0]  # where a text ends in C
        try:
            (clauses,) = espeak.request([text], "en-us", _IPA_WITH_SEPARATORS)
        except EspeakEndedError as error:
            if error.first_request:
                raise ended_error(text, error) from error
            return self.text_to_phonemes(text, tie)  # an earlier text may have been the reason
        return " ".join(phonemes for _, phonemes in clauses if phonemes)
