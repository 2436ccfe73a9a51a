"""The order in which a voice's text is prepared, from the original text to the symbols of its vocabulary."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_vits.text import coqui_cleaners, espeak, normalizers
from hf_vits.text.normalizers import romanize, romanized_string
from hf_vits.text.offsets import Span, TextWithOffsets
from hf_vits.text.phoneme_blocks import RAW_BLOCK
from hf_vits.text.phonemizer import STYLES, phonemize, upstream_phonemes
from hf_vits.utils.formatting import quoted

CLEANERS = ("english", "none", *coqui_cleaners.CLEANERS)
UNICODE_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
FLAGS = ("add_blank", "normalize", "phonemize", "is_uroman", "upstream_compatible", "add_bos_eos")
NAMES = ("language", "phoneme_language")
_WHITE_SPACE = re.compile(r"\s+")


def check_types(options: Mapping[str, Any]) -> None:
    """Raises ValueError for an option of a tokenizer that is of another type, as a file may have it."""
    for name, value in options.items():
        if name in FLAGS and not isinstance(value, bool):
            raise ValueError(f"`{name}` is {quoted(value)}; it must be true or false.")
        if name in NAMES and not isinstance(value, str | None):
            raise ValueError(f"`{name}` is {quoted(value)}; it must be a name, or null.")


@dataclass(frozen=True)
class FrontEnd:
    """Prepares text as the authors of a voice did: romanise, spell, lower-case, phonemize.

    Args:
        language: ISO 639-3 code of the voice, or None for English.
        normalize: lower-case the text; the white space at the ends of one without phonemes is left to the caller.
        phonemize: turn the text into phonemes with espeak-ng.
        is_uroman: romanise the text first.
        phoneme_language: espeak voice; None takes `language`'s.
        phoneme_style: "vits" or "piper", see `hf_vits.text.phonemizer`.
        unicode_form: normalisation form of the symbols; None leaves them.
        cleaner: "english" for the original VITS spelling, "none" for no spelling; None chooses "english" for
            English voices with phonemes in the style "vits" that are normalised. One of Coqui's, by its name there,
            is all that is done to the text before the phonemes, for the language of the espeak voice.
    """

    language: str | None = None
    normalize: bool = True
    phonemize: bool = True
    is_uroman: bool = False
    phoneme_language: str | None = None
    phoneme_style: str = "vits"
    unicode_form: str | None = None
    cleaner: str | None = None

    def __post_init__(self):
        """Raises ValueError for an option that does not exist."""
        check_types(vars(self))
        for name, allowed in (("phoneme_style", STYLES), ("unicode_form", UNICODE_FORMS), ("cleaner", CLEANERS)):
            value = getattr(self, name)
            if value not in allowed and not (value is None and name != "phoneme_style"):
                raise ValueError(f"`{name}` is {value!r}; it can be one of {list(allowed)}.")

    @property
    def voice(self) -> str:
        """The espeak voice."""
        return self.phoneme_language or espeak.voice_for(self.language)

    def tokens(self, text: TextWithOffsets) -> TextWithOffsets:
        """Original text -> symbols, before those are dropped that the vocabulary does not hold."""
        if self.is_uroman or self.language == "ron":
            text = text.composed()
        if self.language == "ron":
            text = normalizers.romanian_letters(text)
        if self.is_uroman:
            text = romanize(text)
        if self.phonemize:
            text = self._phonemes(text)
        elif self.cleaner in coqui_cleaners.CLEANERS:
            text = self._without_ends(coqui_cleaners.clean(text, self.cleaner, self.voice))
        elif self.normalize:
            text = text.lower()
        return text.unicode_form(self.unicode_form) if self.unicode_form else text

    def _phonemes(self, text: TextWithOffsets) -> TextWithOffsets:
        spelled = TextWithOffsets.join(
            [piece if raw else self._spelled(piece) for raw, piece in _raw_blocks(text)], text.spans is not None
        )
        spelled = self._without_ends(spelled)
        return normalizers.collapse_white_space(phonemize(spelled, self.voice, self.phoneme_style))

    def _without_ends(self, text: TextWithOffsets) -> TextWithOffsets:
        """Without white space at its ends, where the cleaner takes that away."""
        return text.strip() if self.cleaner in coqui_cleaners.STRIPPING else text

    def _spelled(self, text: TextWithOffsets) -> TextWithOffsets:
        cleaner = self.cleaner
        text = text.composed()  # espeak spells a mark that stands for itself
        if cleaner in coqui_cleaners.CLEANERS:
            return coqui_cleaners.clean(text, cleaner, self.voice)
        if cleaner is None and self.normalize and self.phoneme_style == "vits" and self.voice.lower().startswith("en"):
            cleaner = "english"
        if cleaner == "english":
            return normalizers.english(text)
        return text.lower() if self.normalize else text


def _raw_blocks(text: TextWithOffsets) -> Iterable[tuple[bool, TextWithOffsets]]:
    """The text in pieces, each marked whether it is a `[[ ]]` block, whose phonemes must not be spelled."""
    position = 0
    for block in RAW_BLOCK.finditer(text.text):
        yield False, text.slice(position, block.start())
        yield True, text.slice(*block.span())
        position = block.end()
    yield False, text.slice(position, len(text.text))


class UpstreamFrontEnd:
    """The front end of transformers' own `VitsTokenizer`, with its order of steps, for `upstream_compatible`."""

    def __init__(self, front_end: FrontEnd, entries: Iterable[str], symbols: Iterable[str]):
        """The options, every entry of the vocabulary in order, added tokens included, and the file's symbols alone."""
        self.front_end = front_end
        self.known = frozenset(symbols)
        # Anything spelled as in the vocabulary, a whole "<unk>" too, keeps its case; the rest is lower-cased.
        self._kept = re.compile("|".join(map(re.escape, filter(None, entries))) or r"(?!)")

    def tokens(self, text: str) -> str:
        """Original text -> symbols."""
        options = self.front_end
        if options.normalize:
            text = self._lower(text)
        if options.language == "ron":
            text = text.replace("ț", "ţ")
        if options.is_uroman and not text.isascii():
            text = romanized_string(text)
        if options.phonemize:
            return _WHITE_SPACE.sub(" ", upstream_phonemes(text))
        if options.normalize:
            return "".join(character for character in text if character in self.known).strip()
        return text

    def _lower(self, text: str) -> str:
        pieces, position = [], 0
        for match in self._kept.finditer(text):
            pieces += [*map(str.lower, text[position : match.start()]), match[0]]
            position = match.end()
        return "".join([*pieces, *map(str.lower, text[position:])])


_MOST_LETTERS = 2  # of the pad letter at the end of a word; a longer run is padding


def framed(symbols: list, blank: Any | None, bos: Any | None, eos: Any | None) -> list:
    """[bos] blank s1 blank s2 ... sn blank [eos]; what is None is left out."""
    if blank is not None:
        spread = [blank] * (2 * len(symbols) + 1)
        spread[1::2] = symbols
        symbols = spread
    return [*([] if bos is None else [bos]), *symbols, *([] if eos is None else [eos])]


def framed_spans(spans: list[Span], blanks: bool, bos: bool, eos: bool) -> list[Span]:
    """Spans laid out as by `framed`; starts and ends never run backwards.

    Blanks and frame are empty, at the start of what follows or the end of all. A blank within a span, such as that of
    a word, has that span.
    """
    start, end = (spans[0][0], spans[0][0]), (spans[-1][1], spans[-1][1])
    out, before = [start] if bos else [], start
    for span in spans:
        out += [(span[0], max(before[1], span[0])), span] if blanks else [span]
        before = span
    return out + [end] * (bool(blanks) + bool(eos))


def unframed(
    ids: Sequence[int], blank: int | None, bos: int | None, eos: int | None, pad: int | None, pad_is_letter: bool
) -> Sequence[int]:
    """The ids of the symbols alone, without padding on the right; undoes `framed`."""
    if bos is not None and ids[:1] == [bos]:
        ids = ids[1:]
    if eos is not None and eos in ids:
        ids, pad = ids[: len(ids) - 1 - ids[::-1].index(eos)], None
    if blank is None:
        return _without_padding(ids, pad, pad_is_letter)
    if pad != blank:  # a sequence ends with a blank, so nothing is ambiguous
        return _without_padding(ids, pad, pad_is_letter=False)[1::2]
    return _without_padding(ids[1::2], pad, pad_is_letter)


def _without_padding(ids: Sequence[int], pad: int | None, pad_is_letter: bool) -> Sequence[int]:
    end = len(ids)
    while end and ids[end - 1] == pad:
        end -= 1
    return ids if pad_is_letter and len(ids) - end <= _MOST_LETTERS else ids[:end]


def masked(ids: Sequence, mask: Sequence) -> list:
    """The ids where the mask is not 0, for a sequence or a batch."""
    if ids and isinstance(ids[0], Sequence):
        return [masked(row, row_mask) for row, row_mask in zip(ids, mask, strict=True)]
    return [index for index, real in zip(ids, mask, strict=True) if real]
