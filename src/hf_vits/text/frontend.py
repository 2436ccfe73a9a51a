"""Front ends: prepare a text as a model's authors did, and add blanks, BOS and EOS to its token ids."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_vits.text import coqui_cleaners, espeak, normalizers
from hf_vits.text.offsets import Span, TextWithOffsets
from hf_vits.text.phoneme_blocks import BLOCK
from hf_vits.text.phonemizer import STYLES, phonemize, upstream_phonemes
from hf_vits.utils.formatting import quoted

CLEANERS = ("english", "none", *coqui_cleaners.CLEANERS)
UNICODE_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
FLAGS = ("add_blank", "normalize", "phonemize", "is_uroman", "upstream_compatible", "add_bos_eos")
NAMES = ("language", "phoneme_language")
_MAX_PAD_LETTERS = 2  # at the end of a text, if the pad token is a letter; a longer run is padding


def check_types(options: Mapping[str, Any]) -> None:
    """Raise ValueError for an option of the wrong type, as a JSON file may have it."""
    for name, value in options.items():
        if name in FLAGS and not isinstance(value, bool):
            raise ValueError(f"`{name}` is {quoted(value)}; it must be true or false.")
        if name in NAMES and not isinstance(value, str | None):
            raise ValueError(f"`{name}` is {quoted(value)}; it must be a name, or null.")


@dataclass(frozen=True)
class FrontEnd:
    """Prepare a text as the authors of a model did: romanize, clean, lower-case, phonemize.

    Args:
        language: ISO 639-3 code of the model, or None for English.
        normalize: convert to lower case. The caller strips white space at the ends of a text without phonemes.
        phonemize: convert the text to phonemes with espeak-ng.
        is_uroman: romanize the text first.
        phoneme_language: espeak voice; None takes that of `language`.
        phoneme_style: "vits" or "piper", see `hf_vits.text.phonemizer`.
        unicode_form: Unicode normalization form of the tokens; None changes nothing.
        cleaner: "english" for the original VITS cleaner, "none" for no cleaner; None selects "english" for normalized
            English with phonemes in the style "vits". The name of one of Coqui's cleaners replaces all other steps
            before phonemes, for the language of the espeak voice.

    Raises:
        ValueError: if an option has a wrong type or value.
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
        check_types(vars(self))
        for name, allowed in (("phoneme_style", STYLES), ("unicode_form", UNICODE_FORMS), ("cleaner", CLEANERS)):
            value = getattr(self, name)
            if value not in allowed and not (value is None and name != "phoneme_style"):
                raise ValueError(f"`{name}` is {value!r}; it can be one of {list(allowed)}.")

    @property
    def voice(self) -> str:
        """Name of the espeak voice."""
        return self.phoneme_language or espeak.voice_for(self.language)

    def tokens(self, text: TextWithOffsets) -> TextWithOffsets:
        """Return the tokens of a text, one per character, including those that the vocabulary does not contain."""
        if self.is_uroman or self.language == "ron":
            text = text.composed()
        if self.language == "ron":
            text = normalizers.romanian_letters(text)
        if self.is_uroman:
            text = normalizers.romanize(text)
        if self.phonemize:
            text = self._phonemes(text)
        elif self.cleaner in coqui_cleaners.CLEANERS:
            text = self._stripped(coqui_cleaners.clean(text, self.cleaner, self.voice))
        elif self.normalize:
            text = text.lower()
        return text.unicode_form(self.unicode_form) if self.unicode_form else text

    def _phonemes(self, text: TextWithOffsets) -> TextWithOffsets:
        parts, position = [], 0
        for block in BLOCK.finditer(text.text):  # the phonemes in it must not be cleaned
            parts += [self._cleaned(text.slice(position, block.start())), text.slice(*block.span())]
            position = block.end()
        parts.append(self._cleaned(text.slice(position, len(text.text))))
        cleaned = self._stripped(TextWithOffsets.join(parts, text.spans is not None))
        return normalizers.collapse_white_space(phonemize(cleaned, self.voice, self.phoneme_style))

    def _stripped(self, text: TextWithOffsets) -> TextWithOffsets:
        return text.strip() if self.cleaner in coqui_cleaners.STRIPPING else text

    def _cleaned(self, text: TextWithOffsets) -> TextWithOffsets:
        cleaner = self.cleaner
        text = text.composed()  # espeak-ng reads combining marks by their names
        if cleaner in coqui_cleaners.CLEANERS:
            return coqui_cleaners.clean(text, cleaner, self.voice)
        if cleaner is None and self.normalize and self.phoneme_style == "vits" and self.voice.lower().startswith("en"):
            cleaner = "english"
        if cleaner == "english":
            return normalizers.english(text)
        return text.lower() if self.normalize else text


class UpstreamFrontEnd:
    """Prepare a text as `transformers.VitsTokenizer` does, for `upstream_compatible`.

    Args:
        front_end: the options.
        entries: all tokens in the order of their ids, added tokens included.
        vocabulary: the tokens of the vocabulary file.
    """

    def __init__(self, front_end: FrontEnd, entries: Iterable[str], vocabulary: Iterable[str]):
        self.front_end = front_end
        self.known = frozenset(vocabulary)
        # Whatever equals an entry, a whole "<unk>" too, keeps its case; the rest becomes lower case.
        self._kept = re.compile("|".join(map(re.escape, filter(None, entries))) or r"(?!)")

    def tokens(self, text: str) -> str:
        """Return the tokens of a text, one per character."""
        options = self.front_end
        if options.normalize:
            text = self._lower(text)
        if options.language == "ron":
            text = text.replace("ț", "ţ")
        if options.is_uroman and not text.isascii():
            text = normalizers.romanized_string(text)
        if options.phonemize:
            return normalizers.WHITE_SPACE.sub(" ", upstream_phonemes(text))
        if options.normalize:
            return "".join(character for character in text if character in self.known).strip()
        return text

    def _lower(self, text: str) -> str:
        parts, position = [], 0
        for match in self._kept.finditer(text):
            parts += [*map(str.lower, text[position : match.start()]), match[0]]
            position = match.end()
        return "".join([*parts, *map(str.lower, text[position:])])


def add_blanks(items: Sequence, blank: Any) -> list:
    """Return blank i1 blank i2 ... in blank."""
    spread = [blank] * (2 * len(items) + 1)
    spread[1::2] = items
    return spread


def add_special_ids(ids: list[int], blank: int | None, bos: int | None, eos: int | None) -> list[int]:
    """Return [bos] blank i1 blank i2 ... in blank [eos]; ids that are None are omitted."""
    ids = ids if blank is None else add_blanks(ids, blank)
    return [*([] if bos is None else [bos]), *ids, *([] if eos is None else [eos])]


def add_special_spans(spans: list[Span], blanks: bool, bos: bool, eos: bool) -> list[Span]:
    """Return the spans of ids with blanks, BOS and EOS; starts and ends never decrease.

    Spans of special ids are empty and at the start of the next token or at the end of all, but a blank within a longer
    span, such as that of a word, has that span.
    """
    start, end = (spans[0][0], spans[0][0]), (spans[-1][1], spans[-1][1])
    out, before = [start] if bos else [], start
    for span in spans:
        out += [(span[0], max(before[1], span[0])), span] if blanks else [span]
        before = span
    return out + [end] * (bool(blanks) + bool(eos))


def pad_spans(spans: list[Span], length: int, side: str) -> list[Span]:
    """Add the spans of padding, which are empty, on the right or left."""
    missing, start, end = length - len(spans), (spans[0][0],) * 2, (spans[-1][1],) * 2
    return [*spans, *[end] * missing] if side == "right" else [*[start] * missing, *spans]


def remove_special_ids(
    ids: Sequence[int], blank: int | None, bos: int | None, eos: int | None, pad: int | None, pad_is_letter: bool
) -> Sequence[int]:
    """Invert `add_special_ids` and remove padding on the right."""
    if bos is not None and ids[:1] == [bos]:
        ids = ids[1:]
    if eos is not None and eos in ids:
        ids, pad = ids[: len(ids) - 1 - ids[::-1].index(eos)], None
    if blank is None:
        return _remove_padding(ids, pad, pad_is_letter)
    if pad != blank:  # a sequence ends with a blank, so nothing is ambiguous
        return _remove_padding(ids, pad, pad_is_letter=False)[1::2]
    return _remove_padding(ids[1::2], pad, pad_is_letter)


def _remove_padding(ids: Sequence[int], pad: int | None, pad_is_letter: bool) -> Sequence[int]:
    end = len(ids)
    while end and ids[end - 1] == pad:
        end -= 1
    return ids if pad_is_letter and len(ids) - end <= _MAX_PAD_LETTERS else ids[:end]


def select_by_mask(ids: Sequence, mask: Sequence) -> list:
    """Return the ids of a sequence or a batch where the mask is not 0."""
    if ids and isinstance(ids[0], Sequence):
        return [select_by_mask(row, row_mask) for row, row_mask in zip(ids, mask, strict=True)]
    return [index for index, real in zip(ids, mask, strict=True) if real]
