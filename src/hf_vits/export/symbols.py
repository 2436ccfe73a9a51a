"""What a runtime without our front end must know of it: symbols and their ids, and what stands around and between."""

import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache

from hf_vits.conversion.formats.piper_common import BOS, EOS, PAD
from hf_vits.text import espeak
from hf_vits.text.frontend import FrontEnd
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.text.vocabulary import match_unicode_form
from hf_vits.tokenization_vits import VitsTokenizer


@dataclass(frozen=True)
class Symbols:
    """
    The ids of a voice's texts.

    `ids` has every code point that becomes one symbol, so also capitals where the voice has small letters alone;
    `own` are the symbols themselves. `several` are code points that become more than one, with these; `at_end` those
    that become another symbol at the end of a word, with both. `blank`, `bos` and `eos` are ids, `None` where the voice
    has none.
    """

    ids: dict[str, int]
    own: dict[str, int]
    blank: int | None
    bos: int | None
    eos: int | None
    unreachable: tuple[str, ...]
    several: dict[str, str] = field(default_factory=dict)
    at_end: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def frame(self) -> dict[str, int | None]:
        """The ids around and between symbols, under the symbols by which Piper knows them: `^ _ p _ p _ … $`."""
        return {PAD: self.blank, BOS: self.bos, EOS: self.eos}

    @property
    def used(self) -> list[int]:
        """Every id that a text may have."""
        return sorted({*self.own.values(), *self.frame.values()} - {None})


def symbols_of(tokenizer: VitsTokenizer) -> Symbols:
    """Reads them off a tokenizer; `unreachable` are entries of its vocabulary longer than a code point."""
    own = {symbol: index for symbol, index in tokenizer.encoder.items() if len(symbol) == 1}
    add_bos_eos = tokenizer.add_bos_eos and not tokenizer.upstream_compatible
    bos, eos = (
        tokenizer.encoder.get(token) if add_bos_eos and token else None
        for token in (tokenizer.bos_token, tokenizer.eos_token)
    )
    spelled = {letter: letter for letter in own} if tokenizer.phonemize else _spelled(tokenizer, own)
    at_end = {} if tokenizer.phonemize else _at_end(tokenizer, own, spelled)
    return Symbols(
        ids={letter: own[symbol] for letter, symbol in spelled.items() if symbol in own},
        own=own,
        blank=tokenizer.blank_id if tokenizer.add_blank else None,
        bos=bos,
        eos=eos,
        unreachable=tuple(symbol for symbol in tokenizer.encoder if len(symbol) != 1),
        several={letter: spoken for letter, spoken in spelled.items() if len(spoken) > 1},
        at_end=at_end,
    )


def espeak_voice(tokenizer: VitsTokenizer) -> str:
    """The espeak voice that phonemes are of."""
    return tokenizer.phoneme_language or espeak.voice_for(tokenizer.language)


def composed(own: dict[str, int]) -> list[str]:
    """Symbols that canonical decomposition (NFD) takes apart, such as é."""
    return [symbol for symbol in own if unicodedata.normalize("NFD", symbol) != symbol]


def _spelled(tokenizer: VitsTokenizer, own: dict[str, int]) -> dict[str, str]:
    """Code points -> what of each the voice speaks: itself, a letter in another case, a space, or several symbols."""
    letters = [*(letter for letter in _written_otherwise() if letter not in own), *own]  # of one id, the last counts
    speak = _speaker(tokenizer, own)
    # Within a word: what stands alone, such as a space, may be taken off as an end.
    beside = _plain_letter(speak, own)
    made = {letter: speak(beside + letter + beside).removeprefix(beside).removesuffix(beside) for letter in letters}
    return {letter: spoken for letter, spoken in made.items() if spoken}


def _at_end(tokenizer: VitsTokenizer, own: dict[str, int], spelled: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Letters of which another symbol is spoken at the end of a word, as of a Greek capital sigma: both symbols."""
    speak = _speaker(tokenizer, own)
    beside = _plain_letter(speak, own)
    ends = {letter: speak(beside + letter).removeprefix(beside) for letter in spelled if letter.isalpha()}
    return {letter: (spelled[letter], end) for letter, end in ends.items() if end != spelled[letter]}


def _speaker(tokenizer: VitsTokenizer, own: dict[str, int]) -> Callable[[str], str]:
    """A function from a text to the symbols that the voice speaks of it; what it would romanise stays as it is."""
    front_end = FrontEnd(
        **{name.name: getattr(tokenizer, name.name) for name in fields(FrontEnd)} | {"is_uroman": False}
    )
    known = frozenset(own)

    def speak(text: str) -> str:
        return match_unicode_form(front_end.tokens(TextWithOffsets.original(text, False)), known).keep(known)[0].text

    return speak


def _plain_letter(speak: Callable[[str], str], own: dict[str, int]) -> str:
    """A letter that is spoken as it is written; nothing if there is none."""
    return next((letter for letter in own if letter.isalpha() and speak(letter) == letter), "")


@cache
def _written_otherwise() -> list[str]:
    """What front ends may write in another way: cased letters, white space, and the punctuation of ASCII."""
    spaces = [chr(code) for code in range(0x3001) if chr(code).isspace()]
    return [*_cased(), *spaces, *(mark for mark in map(chr, range(33, 127)) if not mark.isalnum())]


@cache
def _cased() -> list[str]:
    """Every letter that is written small and large."""
    return [letter for letter in map(chr, range(sys.maxunicode + 1)) if letter.lower() != letter.upper()]
