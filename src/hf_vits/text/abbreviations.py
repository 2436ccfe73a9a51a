"""Abbreviations, ordinals and words that begin sentences, by language, to decide whether a full stop ends a sentence.

Languages are ISO 639-1 codes. Words are without spaces and the last full stop, and in small letters: "z. B." is "z.b".
A word with a capital, "Mass", or with the stop, "max.", is an abbreviation only if it is written so.
"""

import functools
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hf_vits.text.espeak import voice_for

# Languages in which a full stop after a number makes it an ordinal: "am 3. Mai", "XVI. Lajos".
_ORDINAL_DOT = "bs cs da de et eu fi fo hr hu is kl lb ltg lv nb nn no pl sk sl smj sr tr"
# abbreviations.json has these tables of words by language, "" for all languages:
# titles: before a name, never the end of a sentence.
# before_numbers: within a sentence if a number follows; else ordinary words.
# trailing: end a sentence before a capital letter.
# either: within sentences and at their ends; they end one if a word of `starters` follows.
# streets: words of `either` that end a sentence before a title: "Downing St. Dr. Smith came."
# after_times: go on after "a.m." and "p.m." though they have a capital: days, months, zones.
# not_zones: words before "time" that do not go on after "a.m.": "London time" does.
# starters: with a capital only at the beginning of a sentence: pronouns, articles, conjunctions, adverbs.
_TABLES = Path(__file__).with_name("abbreviations.json")
# Words that begin sentences, but also family names after an initial.
_PARTICLES = "al an da das de del den der des di do dos du el la las le lo los van von ten ter so y e o i a"

_ROMAN = re.compile(r"(?=[MDCLXVI])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_DOTTED = re.compile(r"(?<!\w)(?:[^\W\d_]{1,3}\.[\s-]*)+[^\W\d_]{1,4}$")
_WORD = re.compile(r"[^\W\d_][\w.’']*$")
_NUMBER = re.compile(r"(?<![\w.,:/-])(?:[0-9]{1,2}\.\s?)?[0-9]{1,3}$")
_NEXT_WORD = re.compile(r"[^\W\d_]+")
_ATTRIBUTE = re.compile(r"[0-9]-[a-z]{1,5}$")  # "10-yr. bonds"
_PLACE_TIME = re.compile(r"(?:[A-Z][\w.]* ){1,3}time\b")
_CODE = re.compile(r"[A-Z]{1,5}-?[0-9]|[B-HJ-Z](?![\w.'’])|[A-Z]\.?\s*$")
_LOOK_BACK = 24


@dataclass(frozen=True)
class Conventions:
    """
    The conventions for full stops in a language, or in all of them if it is unknown.

    Args:
        ordinals: True if a full stop makes a number an ordinal.
        titles, before_numbers, trailing, either: abbreviations, see the tables.
        starters: words that begin sentences.
        streets: abbreviations that end a sentence before a title.
        after_times: words with a capital that go on after a time of day.
        not_zones: words with a capital before "time" that do not name a zone.
        titles_are_sure: True if titles never end a sentence; a title of one language may be a word of another.
    """

    ordinals: bool
    titles: frozenset[str]
    before_numbers: frozenset[str]
    trailing: frozenset[str]
    either: frozenset[str]
    starters: frozenset[str]
    streets: frozenset[str]
    after_times: frozenset[str]
    not_zones: frozenset[str]
    titles_are_sure: bool = True

    def ends_sentence(self, text: str, start: int, stop: int, following: int) -> bool:
        """
        Return True if the single full stop at `stop` ends the sentence that begins at `start`.

        `following` is the place of the next character that is neither white space nor an opening mark.
        """
        start = max(start, stop - _LOOK_BACK)
        if following >= len(text):
            return True
        if text[following] in ",;:+=/&" and not text[following + 1 : following + 2].isalnum():  # "Poids max. : 120 kg"
            return False
        if text[following].isdigit() and text[following - 1] in "([":  # "4 in. (10 cm)"
            return False
        if _NUMBER.search(text, start, stop):
            return not self.ordinals or self._begins(text, following)
        if _ATTRIBUTE.search(text, start, stop):
            return self._begins(text, following)
        dotted, word = _DOTTED.search(text, start, stop), _WORD.search(text, start, stop)
        for name in _names(dotted, word):
            if (ends := self._after(name, text, following)) is not None:
                return ends
        if word is None:
            return True
        if len(word[0]) == 1 or "." in word[0]:  # an initial, "U.S"
            return self._begins(text, following, after_name=not _ROMAN.fullmatch(word[0]))
        if self.ordinals and _ROMAN.fullmatch(word[0]):
            return self._begins(text, following)
        return True

    def _after(self, name: str, text: str, following: int) -> bool | None:
        """Return True if a sentence ends after an abbreviation; None for other words."""
        is_street = "str" in self.before_numbers and name.endswith(("str", "pl"))  # German "Hauptstr. 5"
        if (name in self.before_numbers or is_street) and _is_number(text, following):
            return False
        if name in self.titles:
            return not self.titles_are_sure and self._begins(text, following, after_name=True)
        if name in self.trailing and text[following].isupper():
            word = _NEXT_WORD.match(text, following)[0].lower()  # "Bros. Ltd."
            return word not in self.trailing | self.streets and not (
                name in ("a.m", "p.m") and self._goes_on(text, following)
            )
        if name in self.streets and self._has_title(text, following):
            return True
        return self._begins(text, following) if name in self.either or name in self.trailing else None

    def _has_title(self, text: str, following: int) -> bool:
        """Return True if an abbreviated title follows, or a saint."""
        word = _NEXT_WORD.match(text, following)
        return word is not None and text[word.end() :][:1] == "." and word[0].lower() in self.titles | {"st"}

    def _goes_on(self, text: str, following: int) -> bool:
        """Return True for a day, month or zone after a time: "10 a.m. Monday", "5 p.m. U.S. time"."""
        word = _NEXT_WORD.match(text, following)
        if word[0].lower() in self.after_times or (len(word[0]) == 1 and text[word.end() :][:1] == "."):
            return True
        return _PLACE_TIME.match(text, following) is not None and word[0].lower() not in self.starters | self.not_zones

    def _begins(self, text: str, following: int, after_name: bool = False) -> bool:
        """Return True if the next word is capitalized because it begins a sentence."""
        word = _NEXT_WORD.match(text, following)
        if word is None or not word[0][0].isupper() or (len(word[0]) == 1 and text[word.end() :][:1] in (".", "-")):
            return False
        name = unicodedata.normalize("NFC", word[0]).lower()
        return name in self.starters and not (after_name and name in _PARTICLES.split())


def begins_sentence(word: str, language: str | None) -> bool:
    """Return True if a capitalized word is not a name but begins a sentence or verse; False for "I" and "Sie"."""
    name = unicodedata.normalize("NFC", word).lower()
    return word[:1].isupper() and name not in ("i", "sie", "ihr", "ihnen") and name in conventions(language).starters


@functools.lru_cache(maxsize=256)
def conventions(language: str | None) -> Conventions:
    """Return the conventions of a language, given as an ISO code or espeak voice; those of all for None."""
    code = None if language is None else voice_for(language).split("-")[0].split("+")[0]
    tables = _tables()

    def words(name: str) -> frozenset[str]:
        chosen = [words for key, words in tables[name].items() if code is None or key in ("", code)]
        return frozenset(" ".join(chosen).split())

    names = ("titles", "before_numbers", "trailing", "either", "starters", "streets", "after_times", "not_zones")
    titles, before, trailing, either, starters, *others = map(words, names)
    starters = starters or frozenset(" ".join(tables["starters"].values()).split())
    if code is None:
        starters -= frozenset(["mai", "ali", "per"])  # a month and names in other languages
        trailing = trailing - either - titles | frozenset(tables["trailing"][""].split())
    ordinals = code is None or code in _ORDINAL_DOT.split()
    return Conventions(ordinals, titles, before, trailing, either, starters, *others, titles_are_sure=code is not None)


@functools.cache
def _tables() -> dict[str, dict[str, str]]:
    return json.loads(_TABLES.read_text(encoding="utf-8"))


def _names(dotted: re.Match | None, word: re.Match | None) -> Iterator[str]:
    """Yield possible abbreviations before a full stop: several with dots, one, one after "l'" or "dell'"."""
    for found in filter(None, (dotted, word)):
        yield _bare(found[0])
        yield (name := unicodedata.normalize("NFC", found[0]))  # "Mass", unlike "mass"
        yield f"{name}."  # "max.", unlike "Max."
    if word and len(elided := re.split("['’]", word[0])) > 1 and len(elided[-1]) > 1:
        yield _bare(elided[-1])


def _bare(word: str) -> str:
    return unicodedata.normalize("NFC", re.sub(r"\s", "", word)).lower()


def _is_number(text: str, position: int) -> bool:
    """Return True before digits, "#5", a Roman numeral or a code such as "WH-1000"."""
    word = _NEXT_WORD.match(text, position)
    is_roman = word is not None and _ROMAN.fullmatch(word[0]) is not None
    return text[position].isdigit() or is_roman or _CODE.match(text, position) is not None
