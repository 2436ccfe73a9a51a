"""Match parameters by the start of their names: settings that name modules, such as `flow` or `decoder.upsampler.0`."""

import re
from collections.abc import Iterable, Mapping, Sequence


def matching_patterns(
    names: Sequence[str], starts: Iterable[str], setting: str, optional: Sequence[str] = ()
) -> list[re.Pattern]:
    """
    Return a pattern for each name of a module or parameter, which matches to a dot or the end.

    Args:
        names (`Sequence[str]`):
            Names of all parameters.
        starts (`Iterable[str]`):
            Starts of names.
        setting (`str`):
            Name of the setting, for the error.
        optional (`Sequence[str]`, *optional*):
            Starts that need not begin any name.

    Raises:
        ValueError: for a start that begins no parameter's name; lists the modules.
    """
    patterns = {start: re.compile(rf"{re.escape(start.rstrip('.'))}(\.|$)") for start in starts}
    wanted = {start: pattern for start, pattern in patterns.items() if start not in optional}
    unknown = [start for start, pattern in wanted.items() if not any(map(pattern.match, names))]
    if unknown:
        parts = sorted({name.split(".")[0] for name in names})
        raise ValueError(f"`{setting}` has {unknown}, which begin no parameter's name. The modules are {parts}.")
    return list(patterns.values())


def numbers_by_name(
    names: Sequence[str], by_start: Mapping[str, float], default: float, setting: str
) -> dict[str, float]:
    """Return a number for each name: that of the longest start that begins it, or the default. Arguments and errors are
    those of [`matching_patterns`]."""
    patterns = matching_patterns(names, by_start, setting)
    by_length = sorted(zip(by_start, patterns, strict=True), key=lambda pair: len(pair[0].rstrip(".")), reverse=True)
    return {
        name: next((by_start[start] for start, pattern in by_length if pattern.match(name)), default) for name in names
    }
