"""Spell numbers with the rules of Unicode CLDR, by the package unicode-rbnf."""

import functools
import importlib.util
import re
from collections.abc import Mapping

from hf_vits.text.expansion.cases import OBLIQUE, declined

MAX_DIGITS = 15  # longer numbers are read digit by digit
MAX_LENGTH = 60  # what is longer is no number that anyone reads


def is_available() -> bool:
    """Return True if the packages that spell numbers and name emoji are installed."""
    return all(map(importlib.util.find_spec, ("unicode_rbnf", "emoji")))


@functools.cache
def _engine(language: str):
    """Return the rules of a language.

    Raises:
        ImportError: if the package is not installed.
        ValueError: if it has no rules for the language.
    """
    try:
        from unicode_rbnf import RbnfEngine
    except ImportError as error:
        raise ImportError(
            "Numbers are spelled by the package unicode-rbnf, which is not installed. "
            'Run `pip install "hf_vits[words]"`, or leave the expansion of written forms off.'
        ) from error
    return RbnfEngine.for_language(language)


class Numbers:
    """
    Spell the numbers of a language.

    Args:
        language (`str`):
            ISO 639-1 code.
        settings (`Mapping`):
            `"numbers"` of the language's file: `locale` is CLDR's, if it is not the language; `cardinal`, `ordinal` and
            `year` are names of CLDR's rule sets; `genders` maps "m", "f" and "n" to the endings of their names;
            `decimal_mark` and `thousands_mark` are patterns, `point` is the word for the mark, `decimals` how what
            follows it is read (`"digits"`, `"number"` or `"fraction"`), and `fixes` are lists of a pattern, what
            replaces it in spelled numbers, and optionally the ending of the rule sets that need it.
    """

    def __init__(self, language: str, settings: Mapping):
        self.language, self.settings = language, settings
        self.genders = settings.get("genders", {})
        self._thousands = re.compile(settings.get("thousands_mark", r"(?!)"))
        self._mark = re.compile(settings.get("decimal_mark", r"\."))
        self._fixes = [(re.compile(pattern), *rest) for pattern, *rest in settings.get("fixes", ())]

    def spelled(self, number: int, rule_set: str) -> str:
        """Return a number as CLDR's rule set spells it, without soft hyphens."""
        text = _engine(self.settings.get("locale", self.language)).format_number(number, ruleset_names=[rule_set]).text
        for pattern, new, *endings in self._fixes:
            text = pattern.sub(new, text) if rule_set.endswith(tuple(endings or ("",))) else text
        return text

    def cardinal(self, number: int, form: str = "") -> str:
        """Return a cardinal; `form` is the ending of a rule set, such as "feminine-genitive"."""
        if len(str(abs(number))) > MAX_DIGITS:
            return self.digits(str(number))
        default = self.settings.get("cardinal", "spellout-numbering")
        return self.spelled(number, f"spellout-cardinal-{form}" if form else default)

    def ordinal(self, number: int, form: str = "") -> str:
        """Return an ordinal; `form` as for cardinals."""
        name = f"spellout-ordinal-{form}" if form else self.settings.get("ordinal", "spellout-ordinal")
        said = self.spelled(number, name)
        stems, last = self.settings.get("ordinal_hundreds", {}), said.rpartition(" ")[2]  # CLDR has no Russian ones
        ending = self.settings["ordinal_endings"][name.removeprefix("spellout-ordinal-")] if last in stems else ""
        return said.removesuffix(last) + stems[last] + ending if last in stems else said

    def year(self, number: int) -> str:
        """Return the number of a year."""
        return self.spelled(number, self.settings.get("year", "spellout-numbering"))

    def digits(self, text: str) -> str:
        """Return the digits of a text one by one."""
        return " ".join(self.cardinal(int(digit)) for digit in text if digit.isdecimal())

    def parse(self, text: str) -> tuple[str, str, str] | None:
        """Return sign, digits before and digits after the decimal mark of a written number; None if it is none."""
        text = text.strip()
        if len(text) > MAX_LENGTH:
            return None
        sign = "-" if text[:1] in ("-", "−", "–") else ""
        whole, *rest = self._mark.split(self._thousands.sub("", text[len(sign) :].lstrip("+")))
        if len(rest) > 1 or not re.fullmatch("[0-9]*", whole + "".join(rest)) or not whole + "".join(rest):
            return None
        return sign, whole, "".join(rest)

    def number(self, text: str, form: str = "") -> str | None:
        """Return the reading of a written number with its sign and decimals; None if it is none."""
        if (parsed := self.parse(text)) is None:
            return None
        sign, whole, decimals = parsed
        minus = f"{self.settings.get('minus', '')} " if sign else ""
        if not decimals:
            has_zeros = len(whole) > 1 and whole[0] == "0"
            return minus + (self.digits(whole) if has_zeros else self.cardinal(int(whole), form))
        return minus + self._with_decimals(whole, decimals, form.partition("-")[2])

    def _with_decimals(self, whole: str, decimals: str, case: str) -> str:
        style, point = self.settings.get("decimals", "digits"), self.settings["point"]
        if style == "fraction" and len(decimals) <= len(self.settings["parts"]):
            return self._as_fraction(whole, decimals, case)
        if style == "digits" or len(decimals) > 3:
            after = self.digits(decimals)
        else:
            zeros = len(decimals) - len(decimals.lstrip("0")) if decimals.strip("0") else len(decimals) - 1
            after = " ".join([self.cardinal(0)] * zeros + [self.cardinal(int(decimals))])
        return f"{self.cardinal(int(whole))} {point} {after}" if whole else f"{point} {after}"

    def _as_fraction(self, whole: str, decimals: str, case: str) -> str:
        """Return "two wholes five tenths", as Slavic languages read decimals, in a case."""
        names = self.settings["point"], self.settings["parts"][len(decimals) - 1]
        is_oblique, said = case == "genitive" or case in OBLIQUE, []
        for value, name in zip((int(whole or 0), int(decimals)), names, strict=True):
            one, many = name.split("|")
            noun = declined(f"{one}|{many}|{many}", case, is_one(value)) if is_oblique else (many, one)[is_one(value)]
            said.append(f"{self.cardinal(value, 'feminine' + f'-{case}' * is_oblique)} {noun}")
        return " ".join(said)


def is_one(number: int) -> bool:
    """Return True for 1, 21, 31 and so on, but not 11, which Slavic languages count with a singular."""
    return number % 10 == 1 and number % 100 != 11
