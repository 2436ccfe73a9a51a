"""Readings of dates and times of day, by the templates of a language.

The templates `date_ymd`, `date_ym`, `date_md`, `date_y`, `date_m` and `date_d` have the groups `y`, `m` and `d`.
`time_h`, `time_hm` and `time_hms` have `h`, `m`, `s`; with `half` those that end in `_half`. `time_h24` is that of a
full hour after noon, if there is one.
"""

from hf_vits.text.expansion.language import Language
from hf_vits.text.expansion.readings import reading

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@reading
def month(language: Language, text: str) -> str | None:
    """Return the name of a month, given by its number or its name or abbreviation."""
    names = language.tables["month_names"]
    if text.isdecimal():
        return names.get(str(int(text)))
    is_name = text.lower() in map(str.lower, names.values())
    return text if is_name else language.word("months", text.rstrip("."))


@reading
def date(language: Language, y: str, m: str, d: str) -> str | None:
    """Read a date; parts may be empty. None if there is no such day or month."""
    if m.isdecimal() and not 1 <= int(m) <= 12:
        return None
    if d and not 1 <= int(d) <= (_DAYS[int(m) - 1] if m.isdecimal() else 31):
        return None
    if len(y) == 2:
        y = ("19" if int(y) > 50 else "20") + y
    parts = "".join(name for name, value in (("y", y), ("m", m), ("d", d)) if value)
    template = language.templates.get(f"date_{parts}")
    return template and language.fill(template, {"y": y, "m": m, "d": d})


@reading
def time(language: Language, h: str, m: str = "", half: str = "", s: str = "") -> str | None:
    """Read a time of day; `half` is "am" or "pm" in any spelling, or empty. None if there is no such time."""
    if int(h) > 24 or int(m or 0) > 59 or int(s or 0) > 59:
        return None
    half = half.replace(".", "").replace(" ", "").lower()
    if half and "time_h_half" not in language.templates:  # a language that counts 24 hours
        h, half = str(int(h) % 12 + 12 * half.startswith("p")), ""
    shown = "hms" if s else "hm" if int(m or 0) else "h24" if int(h) > 12 and "time_h24" in language.templates else "h"
    template = language.templates[f"time_{shown}_half" if half else f"time_{shown}"]
    return language.fill(template, {"h": str(int(h)), "m": m, "s": s and str(int(s)), "half": half})


@reading
def day(language: Language, text: str) -> str:
    """Read the day of a month as a cardinal, the first one by its own word."""
    return language.templates["first_day"] if int(text) == 1 else language.numbers.cardinal(int(text))
