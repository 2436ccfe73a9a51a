"""Scripts of languages: which letters of a text are not in a script of the model's language.

espeak-ng has a name for every letter ("Chinese letter"), so texts in other scripts raise no error by themselves: they
are read letter by letter, or by the rules of another language.
"""

import functools
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from hf_vits.text import espeak
from hf_vits.text.errors import format_counts
from hf_vits.text.frontend import FrontEnd
from hf_vits.text.phoneme_blocks import BLOCK

MIN_OTHER_SHARE = 0.1  # of the letters; from this share on a text counts as one of another script

_LATIN, _HAN = "Latin", "Han"

# Unicode's name of a script -> espeak-ng's languages in which espeak-ng reads it: its Japanese has no kanji, its Korean
# no hanja, its Hakka is romanized. Likely scripts are those of Unicode's CLDR.
_LANGUAGES = {
    _LATIN: "af an az bs ca chr cmn-latn-pinyin cs cy da de en eo es et eu fa-latn fi fo fr ga gd gn hak haw hr ht hu "
    "ia id io is it jbo kaa kl ku la lb lfn lt ltg lv mi ms mt mto nb nci nl om pap piqd pl pt py qdb qu quc qya ro "
    "sjn sk sl smj sq sr sv sw tk tn tr uz vi xex",
    "Cyrillic": "ba be bg bs cv kaa kk ky lfn mk nog ru sr tt uk uz",
    "Arabic": "ar fa fa-latn sd ug ur",
    "Devanagari": "hi kok mr ne",
    "Bengali": "as bn bpy",
    "Ethiopic": "am ti",
    "Armenian": "hy hyw",
    "Greek": "el grc",
    "Myanmar": "my shn",
    _HAN: "cmn cmn-latn-pinyin yue",
    "Hiragana": "ja",
    "Katakana": "ja",
    "Hangul": "ko",
    "Georgian": "ka",
    "Gujarati": "gu",
    "Gurmukhi": "pa",
    "Hebrew": "he",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Oriya": "or",
    "Shavian": "en-shaw",
    "Sinhala": "si",
    "Tamil": "ta",
    "Telugu": "te",
    "Thai": "th",
}
_WITH_HAN = ("ja", "ko")  # for uroman instead of espeak-ng
WITHOUT_SPACES = (_HAN, "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")
_WORD = re.compile(r"[^\W\d_]+")

_warnings_disabled: ContextVar[bool] = ContextVar("warnings_disabled", default=False)


@dataclass(frozen=True)
class SupportedScripts:
    """
    The scripts of a model's language.

    Args:
        scripts: Unicode's names.
        language: the model's language; None if only its letters are known.
        passes_latin: accept Latin words in a text of another script, which espeak-ng pronounces as English.
        by_espeak: True if espeak-ng reads the texts, whose Japanese has no kanji and whose Korean has no hanja.
    """

    scripts: frozenset[str]
    language: str | None = None
    passes_latin: bool = False
    by_espeak: bool = False

    def __str__(self) -> str:
        scripts = " and ".join(sorted(self.scripts))
        if self.language is None:
            return f"The vocabulary has letters of the script {scripts} only"
        reads = "which espeak-ng reads" if self.by_espeak else "which is written"
        return f"The model's language is {self.language}, {reads} in the script {scripts}"

    def describe(self, others: Counter) -> str:
        """Return the message about letters of other scripts: their effect, and what to do."""
        found = " and ".join(sorted({script_of(letter) for letter in others}))
        total = others.total()
        return (
            f"{self}; {total} letter{'s' * (total != 1)} of the text {'are' if total != 1 else 'is'} {found}: "
            f"{format_counts(others)}. They are read letter by letter, as in another language, or dropped. Use a model "
            "of the text's language, or transliterate the text."
        )

    def count_others(self, text: str) -> Counter:
        """
        Count the letters of other scripts, except in `[[ ]]`.

        A single Greek letter is a scientific symbol, which every language has a name for. Latin words in a text of
        another script count only if most of the text is Latin.
        """
        if text.isascii() and _LATIN in self.scripts:
            return Counter()
        others = {script: count for script, count in letters(text).items() if script not in self.scripts}
        if self.passes_latin and _LATIN in others and not _is_mostly_latin(text):
            del others[_LATIN]
        return sum(others.values(), Counter())


def supported_scripts(front_end: FrontEnd, tokens: frozenset[str]) -> SupportedScripts | None:
    """Return the scripts of a model by its language, or by its tokens if these are letters; None if unknown."""
    if front_end.phonemize:
        scripts = scripts_of(front_end.voice)
        return SupportedScripts(scripts, front_end.voice, passes_latin=True, by_espeak=True) if scripts else None
    if front_end.is_uroman:
        language = None if front_end.language is None else espeak.voice_for(front_end.language)
        scripts = None if language is None else scripts_of(language)
        if not scripts:
            return None
        return SupportedScripts(scripts | {_HAN} if language in _WITH_HAN else scripts, language, passes_latin=True)
    scripts = frozenset(filter(None, map(script_of, tokens)))
    return SupportedScripts(scripts) if scripts else None


def scripts_of(language: str) -> frozenset[str] | None:
    """Return the scripts of a language, given as an espeak voice or ISO code; None if it is unknown."""
    name = espeak.voice_for(language)
    table = _scripts_of_languages()
    return table.get(name.split("+")[0]) or table.get(name.split("-")[0].split("+")[0])


def letters(text: str) -> dict[str, Counter]:
    """Count the letters of a text by script, without phoneme blocks and single Greek letters."""
    found: dict[str, Counter] = {}
    text = BLOCK.sub(" ", text)
    for letter, count in Counter(_lone_greek().sub(" ", text) if not text.isascii() else text).items():
        if script := script_of(letter):
            found.setdefault(script, Counter())[letter] = count
    return found


def _is_mostly_latin(text: str) -> bool:
    """Return True if most words are Latin; in scripts without spaces two letters count as a word."""
    latin = others = 0
    for word in _WORD.findall(BLOCK.sub(" ", text)):
        script = script_of(word[0])
        if script == _LATIN:
            latin += 1
        elif script is not None:
            others += -(-len(word) // 2) if script in WITHOUT_SPACES else 1
    return latin > others


@functools.lru_cache(maxsize=16384)
def script_of(letter: str) -> str | None:
    """Return the script of a letter; None for other characters and for letters of all scripts, such as "µ" and "º"."""
    if len(letter) != 1 or not letter.isalpha():
        return None
    if "a" <= letter.lower() <= "z":
        return _LATIN
    found = _named_scripts().match(letter)
    if found is not None:
        return None if found.lastgroup == "Common" else found.lastgroup
    return unicodedata.name(letter, "unknown").split()[0].capitalize()


def too_many_other_letters(others: Counter, text: str) -> bool:
    """Return True if the share of letters of other scripts is too large for the model."""
    return others.total() > 0 and others.total() >= MIN_OTHER_SHARE * sum(map(Counter.total, letters(text).values()))


def warn_of_others(texts: object, tokenizer) -> None:
    """Warn once of the letters of other scripts in a text or a batch."""
    if warnings_disabled():
        return
    others = Counter()
    for text in [texts] if isinstance(texts, str) else texts if isinstance(texts, list | tuple) else []:
        others += tokenizer.letters_of_other_scripts(text) if isinstance(text, str) else Counter()
    if others:
        logging.getLogger(tokenizer.__module__).warning(tokenizer.supported_scripts.describe(others))


@contextmanager
def without_warnings() -> Iterator[None]:
    """Disable the tokenizer's warnings of other scripts, for parts of a text that was checked as a whole."""
    token = _warnings_disabled.set(True)
    try:
        yield
    finally:
        _warnings_disabled.reset(token)


def warnings_disabled() -> bool:
    """Return True within `without_warnings`."""
    return _warnings_disabled.get()


@functools.cache
def _scripts_of_languages() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for script, languages in _LANGUAGES.items():
        for language in languages.split():
            table.setdefault(language, set()).add(script)
    table["en-shaw"] |= table["en"]
    return {language: frozenset(scripts) for language, scripts in table.items()}


@functools.cache
def _named_scripts():
    """Compile one group per script of the table, at the first letter beyond ASCII."""
    import regex

    groups = [f"(?P<{script}>\\p{{Script={script}}})" for script in _LANGUAGES]
    return regex.compile("|".join([r"(?P<Common>[\p{Script=Common}\p{Script=Inherited}])", *groups]))


@functools.cache
def _lone_greek():
    import regex

    return regex.compile(r"(?<!\p{Script=Greek})\p{Script=Greek}(?!\p{Script=Greek})")
