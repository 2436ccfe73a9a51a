"""The rules of a language: patterns of written forms, each with a template of what to say."""

import functools
import json
import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hf_vits.text.espeak import voice_for
from hf_vits.text.expansion.numbers import Numbers
from hf_vits.utils.registry import Registry

READINGS: Registry[Callable[..., str | None]] = Registry("function of a template")
"""
What templates can call: functions of the [`Language`] and of strings, each the content of a group of the pattern or the
word itself. They return the reading, or None where a rule does not apply.
"""

_FOLDER = Path(__file__).parent
_MACRO = re.compile(r"~(\w+)~")
_CALL = re.compile(r"\{(\w+)((?: [^\s{}]+)*)\}")


class Rule(NamedTuple):
    """
    A pattern, and a template of what to say for it.

    The template says all that the pattern matches, or only the group `at` if it has one. A call in it, such as
    `{count n units u}`, names a function of `READINGS` and its arguments: groups, "." for all that is said, "-" for
    nothing, or words.
    """

    name: str
    pattern: re.Pattern
    template: str


@dataclass(frozen=True)
class Language:
    """
    The words and rules of a language.

    Args:
        code (`str`):
            ISO 639-1 code.
        voice (`str`):
            The espeak voice that it was loaded for, which may have a variant of its own.
        tables (`dict`):
            Words by written form, such as the names of months and units.
        rules (`tuple[Rule, ...]`):
            In order of precedence.
        templates (`dict[str, str]`):
            How dates, times, fractions and amounts of money are said; see `calendar.py` and `amounts.py`.
        numbers ([`Numbers`]):
            Spells numbers.
    """

    code: str
    voice: str
    tables: dict[str, dict[str, str]]
    rules: tuple[Rule, ...]
    templates: dict[str, str]
    numbers: Numbers

    def fill(self, template: str, groups: Mapping[str, str | None]) -> str | None:
        """Return a template with the readings of its calls; None if one of them does not apply."""
        parts, position = [], 0
        for call in _CALL.finditer(template):
            arguments = [_argument(name, groups) for name in call[2].split()]
            if (reading := READINGS[call[1]](self, *arguments)) is None:
                return None
            parts += [template[position : call.start()], reading]
            position = call.end()
        return " ".join("".join([*parts, template[position:]]).split())

    def word(self, table: str, key: str) -> str | None:
        """Return the word of a table for a written form, in its own case or else in small letters."""
        words = self.tables.get(table, {})
        return words.get(key, words.get(key.lower()))


def _argument(name: str, groups: Mapping[str, str | None]) -> str:
    """Return the content of a group, "" for "-" and the word itself if there is no such group."""
    return "" if name == "-" else (groups[name] or "") if name in groups else name


def codes() -> list[str]:
    """Return the languages that have rules."""
    return sorted(file.stem for file in _FOLDER.glob("??.json"))


def language_of(voice: str | None) -> Language | None:
    """Return the rules of a language, an ISO code or espeak voice, in its variant for the voice; None without any."""
    name = voice_for(voice).split("+")[0] if voice else ""
    code = name.split("-")[0]
    return _load(code, name) if code in codes() else None


@functools.cache
def _load(code: str, voice: str) -> Language:
    files = [_FOLDER / f"{code}.json", _FOLDER / f"{code}_rules.json"]  # the second one if the first would be too long
    content = dict(ChainMap(*(json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists())))
    variant = next((parts for name, parts in content.get("variants", {}).items() if voice.startswith(name)), {})
    content["rules"] = variant.pop("rules", []) + content["rules"]
    for part, changes in variant.items():
        content[part] |= changes
    tables = {name: dict(_entries(entries)) for name, entries in content["tables"].items()}
    macros = {name: _alternatives(table) for name, table in tables.items()} | content.get("macros", {})
    rules = tuple(Rule(name, _compiled(pattern, macros), say) for name, pattern, say in content["rules"])
    return Language(code, voice, tables, rules, content["templates"], Numbers(code, content["numbers"]))


def _entries(entries: str | list[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of "kg=kilogram|kilograms; lb,lbs=pound|pounds"."""
    for entry in filter(None, (entries if isinstance(entries, str) else "; ".join(entries)).split("; ")):
        end = entry.index("=", 1)  # the first character may be that sign
        yield from ((key, entry[end + 1 :]) for key in entry[:end].split(","))


def _alternatives(table: dict[str, str]) -> str:
    return "|".join(re.escape(key) for key in sorted(table, key=len, reverse=True))


def _compiled(pattern: str, macros: dict[str, str]) -> re.Pattern:
    """Compile a pattern in which `~name~` stands for a macro, or for any key of a table."""
    while _MACRO.search(pattern):
        pattern = _MACRO.sub(lambda macro: f"(?:{macros[macro[1]]})", pattern)
    return re.compile(pattern)
