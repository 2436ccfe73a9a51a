"""Phonemes written in a text, in `[[ ]]`: what stands around them is spoken as if the word itself stood there.

A word takes the place of each block while the text is spoken, so that marks, pauses and the words beside it come out as
they would around any word; then the block's phonemes take the place of the word's.
"""

import re
import sys
from collections.abc import Callable, Iterable, Sequence

from hf_vits.text import espeak
from hf_vits.text.offsets import Span, TextWithOffsets
from hf_vits.text.word_alignment import VOWELS

RAW_BLOCK = re.compile(r"\[\[([^\[\]]*)\]\]")
_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_EMPTY = re.compile(r"\[\[\s*\]\]")
_STRESS = re.compile(r"[ˈˌː]")
_POSSESSIVE = re.compile(r"['’]s\b", re.IGNORECASE)
# The words, by the first sound of a block, on which the end of the word before may depend; each with another that is
# taken if the first is not found again, as when it stands in the text too.
_BY_FIRST_SOUND = {
    "vowel": ("avocado", "umami"),
    "voiceless": ("tomato", "kimono"),
    "voiced": ("banana", "gorilla"),
    "other": ("marina", "lasagna"),
}
# The same before "'s", by the last sound: after a consonant and a vowel at the beginning.
_BY_LAST_SOUND = {
    "voiceless": (("carrot", "helmet"), ("attic", "arctic")),
    "sibilant": (("radish", "spinach"), ("ostrich", "anguish")),
}
_SOUNDS = {"vowel": VOWELS, "voiceless": "ptkfθsʃçxcɕʂ", "voiced": "bdɡgvðzʒɟʑʐ", "sibilant": "szʃʒɕʑʂʐ"}

Speak = Callable[[TextWithOffsets], TextWithOffsets]


def speak_around(text: TextWithOffsets, voice: str, speak: Speak) -> TextWithOffsets:
    """Return the phonemes of a text that has blocks.

    Args:
        text: with blocks; empty ones are as if they were not there.
        voice: espeak voice.
        speak: makes phonemes of a text without blocks.
    """
    text = text.substitute(_EMPTY, lambda block: "")
    blocks = list(RAW_BLOCK.finditer(text.text))
    if not blocks:
        return speak(text)
    if not RAW_BLOCK.sub("", text.text).strip():
        return _apart(text, blocks, speak)
    for choice in range(2):
        words = [_stand_in(text.text, block, choice) for block in blocks]
        spoken = speak(_with_words(text, blocks, words))
        if (places := _places(spoken.text, words, voice)) is not None:
            return _with_blocks(spoken, text, blocks, places)
    return _apart(text, blocks, speak)


def _stand_in(text: str, block: re.Match, choice: int) -> str:
    """The word for a block, which begins with the same kind of sound, and before "'s" ends with it."""
    phonemes = "".join(character for character in block[1] if character.isalpha() and not _STRESS.match(character))
    first = _kind(phonemes[:1], _BY_FIRST_SOUND)
    words = _BY_FIRST_SOUND[first or "other"]
    if _POSSESSIVE.match(text, block.end()) and (last := _kind(phonemes[-1:], ("sibilant", "voiceless"))):
        words = _BY_LAST_SOUND[last][first == "vowel"]
    word = words[choice]
    return word.capitalize() if _is_after_full_stop(text[max(0, block.start() - 20) : block.start()]) else word


def _kind(sound: str, kinds: Iterable[str]) -> str | None:
    return next((kind for kind in kinds if sound and sound in _SOUNDS.get(kind, "")), None)


def _is_after_full_stop(before: str) -> bool:
    """Whether a full stop is the last thing of a text but for white space, quotes and the like. espeak takes one before
    a small letter for that of an abbreviation."""
    marks = re.search(r"[\W_]*\Z", before)[0]
    return "." in marks or "…" in marks


def _with_words(text: TextWithOffsets, blocks: Sequence[re.Match], words: Sequence[str]) -> TextWithOffsets:
    """The text with a word for each block, apart from letters that it touches."""
    pieces, position = [], 0
    for block, word in zip(blocks, words, strict=True):
        start, end = block.span()
        word = " " * _touches(text.text, start - 1, "]") + word + " " * _touches(text.text, end, "[")
        spans = None if text.spans is None else [text.span(start, end)] * len(word)
        pieces += [text.slice(position, start), TextWithOffsets(word, spans)]
        position = end
    return TextWithOffsets.join([*pieces, text.slice(position, len(text.text))], text.spans is not None)


def _touches(text: str, place: int, bracket: str) -> bool:
    """Whether there is a letter, a digit or the bracket of another block at this place; ideographs are words of their
    own."""
    if not 0 <= place < len(text) or _IDEOGRAPH.match(text[place]):
        return False
    return text[place].isalnum() or text[place] == bracket


def _places(spoken: str, words: Sequence[str], voice: str) -> list[Span] | None:
    """Where the words are in the phonemes; None if one cannot be told."""
    alone = [_STRESS.sub("", phonemes) for phonemes in espeak.words_phonemes(words, voice)]
    if not all(alone):
        return None
    patterns = {phonemes: r"[ˈˌ]*" + r"[ˈˌː]*".join(map(re.escape, phonemes)) + "ː*" for phonemes in alone}
    found = list(re.finditer("|".join(f"({pattern})" for pattern in patterns.values()), spoken))
    order = list(patterns)
    if [order[match.lastindex - 1] for match in found] != alone:
        return None
    return [match.span() for match in found]


def _with_blocks(
    spoken: TextWithOffsets, text: TextWithOffsets, blocks: Sequence[re.Match], places: Sequence[Span]
) -> TextWithOffsets:
    """The phonemes with those of each block in its place."""
    pieces, position, before = [], 0, 0
    for block, (start, end) in zip(blocks, places, strict=True):
        first, last = (0, 0) if text.spans is None else text.span(*block.span())
        if _touches(text.text, block.start() - 1, "]") and spoken.text[start - 1 : start] == " ":
            start -= 1
        pieces += [_within(spoken.slice(position, start), before, first), text.slice(*block.span(1)).strip()]
        position = end + (_touches(text.text, block.end(), "[") and spoken.text[end : end + 1] == " ")
        before = last
    return TextWithOffsets.join(
        [*pieces, _within(spoken.slice(position, len(spoken.text)), before)], text.spans is not None
    )


def _within(text: TextWithOffsets, first: int, last: int = sys.maxsize) -> TextWithOffsets:
    """The text with no span that reaches beyond these places, as that of a word may which a block is part of."""
    if text.spans is None:
        return text
    return TextWithOffsets(text.text, [(min(max(a, first), last), min(max(b, first), last)) for a, b in text.spans])


def _apart(text: TextWithOffsets, blocks: Sequence[re.Match], speak: Speak) -> TextWithOffsets:
    """The phonemes of each part between blocks, spoken for itself, and the blocks."""
    pieces, position = [], 0
    for block in blocks:
        pieces += [_with_spaces(text.slice(position, block.start()), speak), text.slice(*block.span(1)).strip()]
        position = block.end()
    pieces.append(_with_spaces(text.slice(position, len(text.text)), speak))
    return TextWithOffsets.join(pieces, text.spans is not None)


def _with_spaces(text: TextWithOffsets, speak: Speak) -> TextWithOffsets:
    """Phonemes of a text next to a block, with the space that separates the two."""
    stripped = text.strip()
    if not stripped.text:
        return text.slice(0, min(1, len(text.text)))
    before = text.slice(0, 1) if text.text[0].isspace() else text.slice(0, 0)
    after = text.slice(len(text.text) - 1, len(text.text) if text.text[-1].isspace() else 0)
    spoken = speak(stripped)
    if spoken.text[-1:].isspace():
        after = text.slice(0, 0)
    return TextWithOffsets.join([before, spoken, after], text.spans is not None)
