"""The tokens and ids of a tokenizer, for runtimes without our front end; BOS, EOS and blanks too."""

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
class Tokens:
    """
    The ids of a tokenizer.

    Args:
        ids (`dict[str, int]`):
            By code point that becomes one token, also capitals where the vocabulary has only lowercase letters.
        own (`dict[str, int]`):
            By token of the vocabulary.
        blank, bos, eos (`int`, *optional*):
            `None` where the tokenizer adds none.
        unreachable (`tuple[str, ...]`):
            Entries of the vocabulary that are longer than a code point.
        several (`dict[str, str]`):
            By code point that becomes several tokens, these.
        at_end (`dict[str, tuple[str, str]]`):
            By code point that becomes another token at the end of a word, the usual token and that one.
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
    def special(self) -> dict[str, int | None]:
        """The ids of blank, BOS and EOS, under the symbols that Piper has for them: `^ _ p _ p _ … $`."""
        return {PAD: self.blank, BOS: self.bos, EOS: self.eos}

    @property
    def used(self) -> list[int]:
        """Every id that a text may contain."""
        return sorted({*self.own.values(), *self.special.values()} - {None})


def tokens_of(tokenizer: VitsTokenizer) -> Tokens:
    """Return the tokens of a tokenizer."""
    own = {token: index for token, index in tokenizer.encoder.items() if len(token) == 1}
    add_bos_eos = tokenizer.add_bos_eos and not tokenizer.upstream_compatible
    bos, eos = (
        tokenizer.encoder.get(token) if add_bos_eos and token else None
        for token in (tokenizer.bos_token, tokenizer.eos_token)
    )
    mapped = {letter: letter for letter in own} if tokenizer.phonemize else _front_end_output(tokenizer, own)
    at_end = {} if tokenizer.phonemize else _at_end(tokenizer, own, mapped)
    return Tokens(
        ids={letter: own[token] for letter, token in mapped.items() if token in own},
        own=own,
        blank=tokenizer.blank_id if tokenizer.add_blank else None,
        bos=bos,
        eos=eos,
        unreachable=tuple(token for token in tokenizer.encoder if len(token) != 1),
        several={letter: output for letter, output in mapped.items() if len(output) > 1},
        at_end=at_end,
    )


def espeak_voice(tokenizer: VitsTokenizer) -> str:
    """Return the espeak voice of a tokenizer that phonemizes."""
    return tokenizer.phoneme_language or espeak.voice_for(tokenizer.language)


def composed(own: dict[str, int]) -> list[str]:
    """Return the tokens that canonical decomposition (NFD) changes, such as é."""
    return [token for token in own if unicodedata.normalize("NFD", token) != token]


def _front_end_output(tokenizer: VitsTokenizer, own: dict[str, int]) -> dict[str, str]:
    """Map code points to the tokens that the front end makes of each: itself, another case, a space, or several."""
    letters = [*(letter for letter in _replaceable() if letter not in own), *own]  # for one id, the last counts
    convert = _front_end(tokenizer, own)
    # Within a word, because the front end strips some characters at the ends, such as spaces.
    beside = _plain_letter(convert, own)
    outputs = {
        letter: convert(beside + letter + beside).removeprefix(beside).removesuffix(beside) for letter in letters
    }
    return {letter: output for letter, output in outputs.items() if output}


def _at_end(tokenizer: VitsTokenizer, own: dict[str, int], mapped: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Map letters that become another token at the end of a word, such as a Greek capital sigma, to both tokens."""
    convert = _front_end(tokenizer, own)
    beside = _plain_letter(convert, own)
    ends = {letter: convert(beside + letter).removeprefix(beside) for letter in mapped if letter.isalpha()}
    return {letter: (mapped[letter], end) for letter, end in ends.items() if end != mapped[letter]}


def _front_end(tokenizer: VitsTokenizer, own: dict[str, int]) -> Callable[[str], str]:
    """Return a function from a text to the tokens that the front end makes of it, without romanizing."""
    front_end = FrontEnd(
        **{name.name: getattr(tokenizer, name.name) for name in fields(FrontEnd)} | {"is_uroman": False}
    )
    known = frozenset(own)

    def convert(text: str) -> str:
        return match_unicode_form(front_end.tokens(TextWithOffsets.original(text, False)), known).keep(known)[0].text

    return convert


def _plain_letter(convert: Callable[[str], str], own: dict[str, int]) -> str:
    """Return a letter that the front end does not change, or an empty string."""
    return next((letter for letter in own if letter.isalpha() and convert(letter) == letter), "")


@cache
def _replaceable() -> list[str]:
    """Return what front ends may replace: cased letters, white space, and the punctuation of ASCII."""
    spaces = [chr(code) for code in range(0x3001) if chr(code).isspace()]
    return [*_cased(), *spaces, *(mark for mark in map(chr, range(33, 127)) if not mark.isalnum())]


@cache
def _cased() -> list[str]:
    """Return every letter that has two cases."""
    return [letter for letter in map(chr, range(sys.maxunicode + 1)) if letter.lower() != letter.upper()]
