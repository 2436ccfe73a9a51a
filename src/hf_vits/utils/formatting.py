"""Values and names out of a file, as few words of an error."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from reprlib import Repr
from typing import Any

_SHORT = Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict = 3, 12, 6
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 60


def quoted(value: Any, most: int = 60) -> str:
    """A value as Python writes it, cut if it is long, however often it holds itself."""
    try:
        words = _SHORT.repr(value)
    except ValueError:  # a number of thousands of digits
        return f"a {type(value).__name__}"
    return words if len(words) <= most else words[: most - 1] + "…"


def listed(names: Sequence[str], shown: int = 5, most: int = 80) -> str:
    """The first names, each cut if it is long, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(name if len(name) <= most else name[: most - 1] + "…" for name in names[:shown]) + more


def alike(name: str, names: Iterable[str]) -> list[str]:
    """Find the known names that are most like an unknown one, three at most and the nearest first."""
    plain = {other.lower().lstrip("-").replace("-", "_"): other for other in names}
    wanted = name.lower().lstrip("-").replace("-", "_")
    like = get_close_matches(wanted, plain, n=3, cutoff=0.6)
    if not like:  # a part of a longer name
        like = [other for other in plain if len(wanted) > 3 and (wanted in other or other in wanted)][:3]
    return [plain[other] for other in like]


def did_you_mean(like: Sequence[str]) -> str:
    """ "; did you mean …?" with these names; empty if there are none."""
    return f"; did you mean {' or '.join(f'`{other}`' for other in like)}?" if like else ""


def nearest(name: str, names: Iterable[str]) -> str:
    """ "; did you mean …?" with the known names that are most like an unknown one; empty if none is."""
    return did_you_mean(alike(name, names))


OTHERS = {
    **dict.fromkeys(("speed", "rate", "tempo", "length_scale", "speech_rate"), "speaking_rate"),
    **dict.fromkeys(("speaker", "sid", "voice", "spk", "speaker_name", "speaker_ids"), "speaker_id"),
    **dict.fromkeys(("language", "lang", "language_name", "language_ids"), "language_id"),
    **dict.fromkeys(("noise_w", "noise_scale_w", "noise_scale_dp", "duration_noise_scale"), "noise_scale_duration"),
    **dict.fromkeys(("temperature", "noise"), "noise_scale"),
    **dict.fromkeys(("silence", "sentence_silence"), "pause"),
    "seed": "generator",
}
"""What other programs and other methods call an argument."""

HOW = {"length_scale": " (1 / length_scale)", "seed": " (torch.Generator().manual_seed(seed))"}
"""How the value of such an argument becomes that of ours, where it is not the same."""


def refuse_unknown(of: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raise `TypeError` if any of the given names is not among the known ones; says which are, and which is near."""
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    name = unknown[0]
    raise TypeError(f"{of} has no argument {quoted(name)}{meant(name, known) or '.'} It takes {', '.join(known)}.")


def meant(name: str, known: Sequence[str]) -> str:
    """Return "; did you mean …?" with what was probably meant; an empty string if nothing is like it."""
    like = [OTHERS[name]] if OTHERS.get(name) in known else alike(name, known)
    return did_you_mean([f"{other}{HOW.get(name, '')}" for other in like])
