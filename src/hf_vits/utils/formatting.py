"""Format values and names for error messages, and suggest known names for unknown ones."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from reprlib import Repr
from typing import Any

_SHORT = Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict = 3, 12, 6
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 60


def quoted(value: Any, most: int = 60) -> str:
    """Return the `repr` of a value, shortened, also if it contains itself."""
    try:
        words = _SHORT.repr(value)
    except ValueError:  # a number of thousands of digits
        return f"a {type(value).__name__}"
    return words if len(words) <= most else words[: most - 1] + "…"


def listed(names: Sequence[str], shown: int = 5, most: int = 80) -> str:
    """Return the first names, each shortened, and the number of the others."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(name if len(name) <= most else name[: most - 1] + "…" for name in names[:shown]) + more


def similar_names(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three known names that are similar to an unknown one, the most similar first."""
    plain = {other.lower().lstrip("-").replace("-", "_"): other for other in names}
    wanted = name.lower().lstrip("-").replace("-", "_")
    similar = get_close_matches(wanted, plain, n=3, cutoff=0.6)
    if not similar:  # a part of a longer name
        similar = [other for other in plain if len(wanted) > 3 and (wanted in other or other in wanted)][:3]
    return [plain[other] for other in similar]


def did_you_mean(names: Sequence[str]) -> str:
    """Return "; did you mean …?" with these names; empty if there are none."""
    return f"; did you mean {' or '.join(f'`{other}`' for other in names)}?" if names else ""


def nearest(name: str, names: Iterable[str]) -> str:
    """Return "; did you mean …?" with the known names that are most like an unknown one; empty if none is."""
    return did_you_mean(similar_names(name, names))


SYNONYMS = {
    **dict.fromkeys(("speed", "rate", "tempo", "length_scale", "speech_rate"), "speaking_rate"),
    **dict.fromkeys(("speaker", "sid", "voice", "spk", "speaker_name", "speaker_ids"), "speaker_id"),
    **dict.fromkeys(("language", "lang", "language_name", "language_ids"), "language_id"),
    **dict.fromkeys(("noise_w", "noise_scale_w", "noise_scale_dp", "duration_noise_scale"), "noise_scale_duration"),
    **dict.fromkeys(("temperature", "noise"), "noise_scale"),
    **dict.fromkeys(("silence", "sentence_silence"), "pause"),
    "seed": "generator",
}
"""Names of arguments in other programs and methods."""

CONVERSIONS = {"length_scale": " (1 / length_scale)", "seed": " (torch.Generator().manual_seed(seed))"}
"""How to convert the value of such an argument, where it is not the same."""


def refuse_unknown(of: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raise `TypeError` if a given name is unknown; lists the known names and suggests one."""
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    name = unknown[0]
    raise TypeError(f"{of} has no argument {quoted(name)}{meant(name, known) or '.'} It takes {', '.join(known)}.")


def meant(name: str, known: Sequence[str]) -> str:
    """Return "; did you mean …?" with similar names or the synonym of a name; empty if there is none."""
    names = [SYNONYMS[name]] if SYNONYMS.get(name) in known else similar_names(name, known)
    return did_you_mean([f"{other}{CONVERSIONS.get(name, '')}" for other in names])
