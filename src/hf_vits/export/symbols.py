"""What a runtime without our front end must know of it: symbols and their ids, and what stands around and between."""

import sys
import unicodedata
from dataclasses import dataclass, fields
from functools import cache

from hf_vits.conversion.piper_json import BOS, EOS, PAD
from hf_vits.text import espeak
from hf_vits.text.front_end import FrontEnd
from hf_vits.text.tracked import TrackedText
from hf_vits.tokenization_vits import VitsTokenizer


@dataclass(frozen=True)
class Symbols:
    """
    The ids of a voice's texts.

    `ids` has every code point that becomes one symbol, so also capitals where the voice has small letters alone;
    `own` are the symbols themselves. `blank`, `bos` and `eos` are ids, `None` where the voice has none.
    """

    ids: dict[str, int]
    own: dict[str, int]
    blank: int | None
    bos: int | None
    eos: int | None
    unreachable: tuple[str, ...]

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
    framed = tokenizer.framed and not tokenizer.upstream_compatible
    bos, eos = (
        tokenizer.encoder.get(token) if framed and token else None
        for token in (tokenizer.bos_token, tokenizer.eos_token)
    )
    return Symbols(
        ids=own if tokenizer.phonemize else _spelled(tokenizer, own),
        own=own,
        blank=tokenizer.blank_id if tokenizer.add_blank else None,
        bos=bos,
        eos=eos,
        unreachable=tuple(symbol for symbol in tokenizer.encoder if len(symbol) != 1),
    )


def espeak_voice(tokenizer: VitsTokenizer) -> str:
    """The espeak voice that phonemes are of."""
    return tokenizer.phoneme_language or espeak.voice_for(tokenizer.language)


def composed(own: dict[str, int]) -> list[str]:
    """Symbols that canonical decomposition (NFD) takes apart, such as é."""
    return [symbol for symbol in own if unicodedata.normalize("NFD", symbol) != symbol]


def _spelled(tokenizer: VitsTokenizer, own: dict[str, int]) -> dict[str, int]:
    """Every code point that the front end makes one symbol of: the symbols, and letters that it writes another way."""
    options = {field.name: getattr(tokenizer, field.name) for field in fields(FrontEnd)}
    front_end = FrontEnd(**options | {"is_uroman": False})  # what it romanises is no single symbol
    letters = [
        *(letter for letter in _cased() if letter not in own),
        *own,
    ]  # who goes from ids to symbols takes the last

    def symbols(text: str) -> str:
        return front_end.symbols(TrackedText.original(text, False)).text

    # Within a word: what stands alone, such as a space, may be taken off as an end.
    beside = next((letter for letter in own if letter.isalpha() and symbols(letter) == letter), "")
    made = {letter: symbols(beside + letter + beside).removeprefix(beside).removesuffix(beside) for letter in letters}
    return {letter: own[symbol] for letter, symbol in made.items() if symbol in own}


@cache
def _cased() -> list[str]:
    """Every letter that is written small and large."""
    return [letter for letter in map(chr, range(sys.maxunicode + 1)) if letter.lower() != letter.upper()]
