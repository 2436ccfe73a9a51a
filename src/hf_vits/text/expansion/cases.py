"""Slavic cases that three forms of a noun, "градус|градуса|градусов", do not have.

The genitive, which numbers take, says how a noun is declined. Cases are named as the rules of Unicode CLDR name them.
"""

OBLIQUE = ("locative", "dative", "ablative")
_PLURAL = dict(zip(OBLIQUE, ("х", "м", "ми"), strict=True))
_SINGULAR = {
    "а": dict(zip(OBLIQUE, ("е", "у", "ом"), strict=True)),  # by the ending of the genitive
    "я": dict(zip(OBLIQUE, ("е", "ю", "ем"), strict=True)),
    "ы": dict(zip(OBLIQUE, ("е", "е", "ой"), strict=True)),
    "и": dict(zip(OBLIQUE, ("е", "е", "ей"), strict=True)),
}
_ADJECTIVE_OF_ONE = {"locative": "ом", "dative": "ому", "ablative": "ым", "genitive": "ого"}


def declined(forms: str, case: str, is_one: bool) -> str:
    """
    Return a noun with what belongs to it in a case.

    Args:
        forms (`str`):
            Its forms after 1, 2 and 5: "квадратный метр|квадратных метра|квадратных метров".
        case (`str`):
            `"locative"`, `"dative"`, `"ablative"`, or `"genitive"`, in the singular that of decimals.
        is_one (`bool`):
            In the singular, as after 21.
    """
    words = zip(*(form.split() for form in forms.split("|")), strict=True)
    return " ".join(_word(*word, case, is_one) for word in words)


def _word(one: str, few: str, many: str, case: str, is_one: bool) -> str:
    """Return a word, whose three forms are given, in a case; what has no other form after 2 is not declined."""
    if one == few:
        return one
    if many.endswith(("ых", "их")):
        of_one = "ой" if one.endswith("ая") else _ADJECTIVE_OF_ONE[case]
        return many[:-2] + of_one if is_one else many[:-1] + _PLURAL.get(case, "х")
    if case == "genitive":
        return few if is_one else many
    stem, ending = few[:-1], few[-1]
    if is_one:
        is_i = ending == "и" and stem.endswith("и") and case != "ablative"  # "калории"
        return few if is_i else stem + _SINGULAR["ы" if stem[-1] in "гкх" and ending == "и" else ending][case]
    hard = ending in "аы" or stem[-1] in "гкхжшщч"
    return stem + ("а" if hard else "я") + _PLURAL[case]
