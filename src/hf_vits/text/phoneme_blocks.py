"""Phoneme blocks: phonemes that a text contains in `[[ ]]`.

While espeak-ng phonemizes the text, a placeholder word stands for each block, so that punctuation, pauses and the words
next to it are as for any word; then the phonemes of the block replace those of the placeholder.
"""

import re
import sys
from collections.abc import Callable, Iterable, Sequence

from hf_vits.text import espeak
from hf_vits.text.offsets import Span, TextWithOffsets
from hf_vits.text.word_alignment import VOWELS

BLOCK = re.compile(r"\[\[([^\[\]]*)\]\]")
IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
_EMPTY = re.compile(r"\[\[\s*\]\]")
_STRESS = re.compile(r"[ˈˌː]")
_POSSESSIVE = re.compile(r"['’]s\b", re.IGNORECASE)
_END_MARKS = re.compile(r"[\W_]*\Z")
# Placeholders by the first sound of a block, on which the end of the word before may depend. The second one is used if
# the first is not found again, for example because the text contains it too.
_BY_FIRST_SOUND = {
    "vowel": ("avocado", "umami"),
    "voiceless": ("tomato", "kimono"),
    "voiced": ("banana", "gorilla"),
    "other": ("marina", "lasagna"),
}
# Placeholders before "'s", by the last sound; each with a consonant or a vowel at the beginning.
_BY_LAST_SOUND = {
    "voiceless": (("carrot", "helmet"), ("attic", "arctic")),
    "sibilant": (("radish", "spinach"), ("ostrich", "anguish")),
}
_SOUNDS = {"vowel": VOWELS, "voiceless": "ptkfθsʃçxcɕʂ", "voiced": "bdɡgvðzʒɟʑʐ", "sibilant": "szʃʒɕʑʂʐ"}

Phonemize = Callable[[TextWithOffsets], TextWithOffsets]


def phonemize_around(text: TextWithOffsets, voice: str, phonemize: Phonemize) -> TextWithOffsets:
    """Return the phonemes of a text that has blocks.

    Args:
        text: contains blocks; empty ones are removed.
        voice: espeak voice.
        phonemize: converts a text without blocks to phonemes.
    """
    text = text.substitute(_EMPTY, lambda block: "")
    blocks = list(BLOCK.finditer(text.text))
    if not blocks:
        return phonemize(text)
    if BLOCK.sub("", text.text).strip():
        for choice in range(2):
            words = [_placeholder(text.text, block, choice) for block in blocks]
            phonemes = phonemize(_insert_placeholders(text, blocks, words))
            if (places := _find_placeholders(phonemes.text, words, voice)) is not None:
                return _insert_blocks(phonemes, text, blocks, places)
    return _separately(text, blocks, phonemize)


def _placeholder(text: str, block: re.Match, choice: int) -> str:
    """Return a word that begins with the same kind of sound as a block, and before "'s" ends with it."""
    phonemes = "".join(character for character in block[1] if character.isalpha() and not _STRESS.match(character))
    first = _kind(phonemes[:1], _BY_FIRST_SOUND)
    words = _BY_FIRST_SOUND[first or "other"]
    if _POSSESSIVE.match(text, block.end()) and (last := _kind(phonemes[-1:], ("sibilant", "voiceless"))):
        words = _BY_LAST_SOUND[last][first == "vowel"]
    # espeak takes a full stop before a small letter for that of an abbreviation
    marks = _END_MARKS.search(text[max(0, block.start() - 20) : block.start()])[0]
    return words[choice].capitalize() if "." in marks or "…" in marks else words[choice]


def _kind(sound: str, kinds: Iterable[str]) -> str | None:
    return next((kind for kind in kinds if sound and sound in _SOUNDS.get(kind, "")), None)


def _insert_placeholders(text: TextWithOffsets, blocks: Sequence[re.Match], words: Sequence[str]) -> TextWithOffsets:
    """Replace each block by a word, separated from adjacent letters."""
    parts, position = [], 0
    for block, word in zip(blocks, words, strict=True):
        start, end = block.span()
        word = " " * _is_adjacent(text.text, start - 1, "]") + word + " " * _is_adjacent(text.text, end, "[")
        spans = None if text.spans is None else [text.span(start, end)] * len(word)
        parts += [text.slice(position, start), TextWithOffsets(word, spans)]
        position = end
    return TextWithOffsets.join([*parts, text.slice(position, len(text.text))], text.spans is not None)


def _is_adjacent(text: str, place: int, bracket: str) -> bool:
    """Return True for a letter, digit or bracket of another block at a place; ideographs are words of their own."""
    if not 0 <= place < len(text) or _IDEOGRAPH.match(text[place]):
        return False
    return text[place].isalnum() or text[place] == bracket


def _find_placeholders(phonemes: str, words: Sequence[str], voice: str) -> list[Span] | None:
    """Return the places of the placeholders in the phonemes; None if they are ambiguous."""
    isolated = [_STRESS.sub("", word) for word in espeak.words_phonemes(words, voice)]
    if not all(isolated):
        return None
    patterns = {word: r"[ˈˌ]*" + r"[ˈˌː]*".join(map(re.escape, word)) + "ː*" for word in isolated}
    found = list(re.finditer("|".join(f"({pattern})" for pattern in patterns.values()), phonemes))
    order = list(patterns)
    if [order[match.lastindex - 1] for match in found] != isolated:
        return None
    return [match.span() for match in found]


def _insert_blocks(
    phonemes: TextWithOffsets, text: TextWithOffsets, blocks: Sequence[re.Match], places: Sequence[Span]
) -> TextWithOffsets:
    """Replace the phonemes of each placeholder by those of its block."""
    parts, position, before = [], 0, 0
    for block, (start, end) in zip(blocks, places, strict=True):
        first, last = (0, 0) if text.spans is None else text.span(*block.span())
        if _is_adjacent(text.text, block.start() - 1, "]") and phonemes.text[start - 1 : start] == " ":
            start -= 1
        parts += [_clip_spans(phonemes.slice(position, start), before, first), text.slice(*block.span(1)).strip()]
        position = end + (_is_adjacent(text.text, block.end(), "[") and phonemes.text[end : end + 1] == " ")
        before = last
    rest = _clip_spans(phonemes.slice(position, len(phonemes.text)), before)
    return TextWithOffsets.join([*parts, rest], text.spans is not None)


def _clip_spans(text: TextWithOffsets, first: int, last: int = sys.maxsize) -> TextWithOffsets:
    """Clip spans to these limits; that of a word that contains a block exceeds them."""
    if text.spans is None:
        return text
    return TextWithOffsets(text.text, [(min(max(a, first), last), min(max(b, first), last)) for a, b in text.spans])


def _separately(text: TextWithOffsets, blocks: Sequence[re.Match], phonemize: Phonemize) -> TextWithOffsets:
    """Phonemize each part between blocks on its own."""
    parts, position = [], 0
    for block in blocks:
        parts += [_keep_spaces(text.slice(position, block.start()), phonemize), text.slice(*block.span(1)).strip()]
        position = block.end()
    parts.append(_keep_spaces(text.slice(position, len(text.text)), phonemize))
    return TextWithOffsets.join(parts, text.spans is not None)


def _keep_spaces(text: TextWithOffsets, phonemize: Phonemize) -> TextWithOffsets:
    """Phonemize a text next to a block and keep the space that separates the two."""
    stripped = text.strip()
    if not stripped.text:
        return text.slice(0, min(1, len(text.text)))
    before = text.slice(0, 1) if text.text[0].isspace() else text.slice(0, 0)
    after = text.slice(len(text.text) - 1, len(text.text) if text.text[-1].isspace() else 0)
    phonemes = phonemize(stripped)
    if phonemes.text[-1:].isspace():
        after = text.slice(0, 0)
    return TextWithOffsets.join([before, phonemes, after], text.spans is not None)
