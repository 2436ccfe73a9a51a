"""The order in which a voice's text is prepared, from the original text to the symbols of its vocabulary."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hf_vits.text import coqui_cleaners, espeak, normalize
from hf_vits.text.phoneme_blocks import RAW_BLOCK
from hf_vits.text.phonemize import STYLES, phonemize
from hf_vits.text.romanize import romanize, romanized_string
from hf_vits.text.stock_phonemes import stock_phonemes
from hf_vits.text.tracked import TrackedText
from hf_vits.wording import quoted

CLEANERS = ("english", "none", *coqui_cleaners.CLEANERS)
UNICODE_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
FLAGS = ("add_blank", "normalize", "phonemize", "is_uroman", "upstream_compatible", "framed")
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
        phoneme_style: "vits" or "piper", see `hf_vits.text.phonemize`.
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

    def symbols(self, text: TrackedText) -> TrackedText:
        """Original text -> symbols, before those are dropped that the vocabulary does not hold."""
        if self.is_uroman or self.language == "ron":
            text = text.composed()
        if self.language == "ron":
            text = normalize.romanian_letters(text)
        if self.is_uroman:
            text = romanize(text)
        if self.phonemize:
            text = self._phonemes(text)
        elif self.cleaner in coqui_cleaners.CLEANERS:
            text = self._without_ends(coqui_cleaners.clean(text, self.cleaner, self.voice))
        elif self.normalize:
            text = text.lower()
        return text.unicode_form(self.unicode_form) if self.unicode_form else text

    def _phonemes(self, text: TrackedText) -> TrackedText:
        spelled = TrackedText.join(
            [piece if raw else self._spelled(piece) for raw, piece in _raw_blocks(text)], text.spans is not None
        )
        spelled = self._without_ends(spelled)
        return normalize.collapse_white_space(phonemize(spelled, self.voice, self.phoneme_style))

    def _without_ends(self, text: TrackedText) -> TrackedText:
        """Without white space at its ends, where the cleaner takes that away."""
        return text.strip() if self.cleaner in coqui_cleaners.STRIPPING else text

    def _spelled(self, text: TrackedText) -> TrackedText:
        cleaner = self.cleaner
        text = text.composed()  # espeak spells a mark that stands for itself
        if cleaner in coqui_cleaners.CLEANERS:
            return coqui_cleaners.clean(text, cleaner, self.voice)
        if cleaner is None and self.normalize and self.phoneme_style == "vits" and self.voice.lower().startswith("en"):
            cleaner = "english"
        if cleaner == "english":
            return normalize.english(text)
        return text.lower() if self.normalize else text


def _raw_blocks(text: TrackedText) -> Iterable[tuple[bool, TrackedText]]:
    """The text in pieces, each marked whether it is a `[[ ]]` block, whose phonemes must not be spelled."""
    position = 0
    for block in RAW_BLOCK.finditer(text.text):
        yield False, text.slice(position, block.start())
        yield True, text.slice(*block.span())
        position = block.end()
    yield False, text.slice(position, len(text.text))


class StockFrontEnd:
    """The front end of transformers' own `VitsTokenizer`, with its order of steps, for `upstream_compatible`."""

    def __init__(self, front_end: FrontEnd, entries: Iterable[str], symbols: Iterable[str]):
        """The options, every entry of the vocabulary in order, added tokens included, and the file's symbols alone."""
        self.front_end = front_end
        self.known = frozenset(symbols)
        # Anything spelled as in the vocabulary, a whole "<unk>" too, keeps its case; the rest is lower-cased.
        self._kept = re.compile("|".join(map(re.escape, filter(None, entries))) or r"(?!)")

    def symbols(self, text: str) -> str:
        """Original text -> symbols."""
        options = self.front_end
        if options.normalize:
            text = self._lower(text)
        if options.language == "ron":
            text = text.replace("ț", "ţ")
        if options.is_uroman and not text.isascii():
            text = romanized_string(text)
        if options.phonemize:
            return _WHITE_SPACE.sub(" ", stock_phonemes(text))
        if options.normalize:
            return "".join(character for character in text if character in self.known).strip()
        return text

    def _lower(self, text: str) -> str:
        pieces, position = [], 0
        for match in self._kept.finditer(text):
            pieces += [*map(str.lower, text[position : match.start()]), match[0]]
            position = match.end()
        return "".join([*pieces, *map(str.lower, text[position:])])
