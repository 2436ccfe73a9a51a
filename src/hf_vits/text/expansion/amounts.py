"""Readings of amounts of money and of fractions.

An entry of the table `currencies` has the forms of the unit and of its hundredth: "dollar|dollars/cent|cents". The
template `money` joins `{whole}` and `{part}`; `money_scale` joins `{amount}`, such as "five million", and `{unit}`.
"""

from hf_vits.text.expansion.language import Language
from hf_vits.text.expansion.readings import count, counted, number, reading


@reading
def money(language: Language, sign: str, text: str, scale: str = "") -> str | None:
    """Read an amount of money, with hundredths or a scale such as "million"."""
    entry, parsed = language.word("currencies", sign), language.numbers.parse(text)
    if entry is None or parsed is None:
        return None
    unit, _, hundredth = entry.partition("/")
    minus, whole, decimals = parsed
    if scale:
        if (amount := count(language, text, "scales", scale.strip())) is None:
            return None
        names = unit.rpartition(":")[2].split("|")
        return language.templates["money_scale"].format(amount=amount, unit=names[-1])
    if not decimals.strip("0"):
        return _counted(language, minus + whole, unit)
    if len(decimals) != 2 or not hundredth:
        return _counted(language, text, unit)
    part = _counted(language, decimals.lstrip("0"), hundredth)
    if not whole.strip("0"):
        return part
    if "money_part" in language.templates:
        part = language.fill(language.templates["money_part"], {"part": decimals.lstrip("0")})
    return language.templates["money"].format(whole=_counted(language, minus + whole, unit), part=part)


@reading
def money_case(language: Language, sign: str, text: str, case: str) -> str | None:
    """Read an amount of money in a grammatical case, with hundredths."""
    entry, parsed = language.word("currencies", sign), language.numbers.parse(text)
    if entry is None or parsed is None:
        return None
    unit, _, hundredth = entry.partition("/")
    minus, whole, decimals = parsed
    if len(decimals) != 2 or not decimals.strip("0") or not hundredth:
        return count(language, text, "currencies", sign, case)
    return (
        f"{_counted(language, minus + whole, unit, case)} {_counted(language, decimals.lstrip('0'), hundredth, case)}"
    )


@reading
def money_attributive(language: Language, sign: str, text: str, scale: str = "") -> str | None:
    """Read an amount of money before a noun, with the unit in the singular: "a five dollar bill"."""
    entry, said = language.word("currencies", sign), number(language, text)
    if entry is None or said is None or "." in text and not scale:
        return money(language, sign, text, scale)
    names = entry.partition("/")[0].rpartition(":")[2].split("|")
    amount = count(language, text, "scales", scale.strip()) if scale else said
    return amount and f"{amount} {names[0]}"


def _counted(language: Language, text: str, entry: str, case: str = "") -> str:
    gender, _, forms = entry.rpartition(":")
    parsed = language.numbers.parse(text)
    amount = number(language, text, "-".join(filter(None, (language.numbers.genders.get(gender or "m", ""), case))))
    return f"{amount} {counted(language, parsed, forms, case)}"


@reading
def fraction(language: Language, above: str, below: str) -> str | None:
    """Read a fraction, with the names of the table `fractions` or the template `fraction`."""
    if not int(below):
        return None
    gender, _, forms = (language.word("fractions", str(int(below))) or "").rpartition(":")
    if not forms:
        return language.fill(language.templates["fraction"], {"above": above, "below": below})
    parsed = ("", above, "")
    return f"{number(language, above, language.numbers.genders.get(gender, ''))} {counted(language, parsed, forms)}"
