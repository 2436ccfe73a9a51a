"""Which written words became which spoken words: espeak reads "42" as two words and "of the" as one."""

import functools
from collections.abc import Sequence
from math import inf

Group = tuple[int, int, int, int]  # words first to last, spoken words first to last; ends excluded
_MOST_JOINED = 4  # written words that espeak speaks as one
_BAND = 8  # spoken words by which a pairing may stray from the expected place, and as many as the longest word has
_MOST_DIFFERENT = 0.5  # distance per phoneme above which a pairing is not believed
VOWELS = frozenset("aeiouyæɐɑɒɔəɚɛɜɝɪɨʉʊʌøœɵɤɯᵻ")
_STRESS = str.maketrans("", "", "ˈˌː ")


def pair(expected: Sequence[str], spoken: Sequence[str]) -> list[Group] | None:
    """Pairs words with spoken words, both in order and none left over; None when no pairing is convincing.

    `expected` holds each written word's phonemes when spoken alone, with spaces where it is read as several.
    """
    if len(expected) == 1 and spoken:
        return [(0, 1, 0, len(spoken))]
    straight = _straight(expected, spoken)
    return straight if straight is not None else _cheapest(expected, spoken)


def _straight(expected: Sequence[str], spoken: Sequence[str]) -> list[Group] | None:
    """The usual case: every word is read as many words as when alone, and sounds about the same."""
    groups, position = [], 0
    for i, phonemes in enumerate(expected):
        end = position + len(phonemes.split())
        groups.append((i, i + 1, position, end))
        position = end
    return groups if position == len(spoken) and _convincing(groups, expected, spoken) else None


def _cheapest(expected: Sequence[str], spoken: Sequence[str]) -> list[Group] | None:
    """The pairing of least total edit distance, by dynamic programming in a band around the expected places."""
    places = [0]
    for phonemes in expected:
        places.append(places[-1] + len(phonemes.split()))
    scale = len(spoken) / max(places[-1], 1)
    band = max([_BAND, *(len(phonemes.split()) for phonemes in expected)])  # long numbers are read as many words
    best: dict[tuple[int, int], tuple[float, Group | None]] = {(0, 0): (0.0, None)}
    for i in range(len(expected)):
        place = round(places[i] * scale)
        for j in range(max(0, place - band), min(len(spoken), place + band) + 1):
            if (i, j) not in best:
                continue
            for group in _steps(i, j, expected, len(spoken)):
                cost = best[i, j][0] + _cost(group, expected, spoken)
                key = group[1], group[3]
                if cost < best.get(key, (inf, None))[0]:
                    best[key] = cost, group
    return _traced(best, expected, spoken)


def _steps(i: int, j: int, expected: Sequence[str], spoken: int) -> list[Group]:
    alone = len(expected[i].split())
    several = [(i, i + 1, j, j + n) for n in range(max(0, alone - 2), alone + 3) if j + n <= spoken]
    joined = [(i, i + n, j, j + 1) for n in range(2, _MOST_JOINED + 1) if i + n <= len(expected) and j < spoken]
    return several + joined


def _cost(group: Group, expected: Sequence[str], spoken: Sequence[str]) -> float:
    return _distance("".join(expected[group[0] : group[1]]), "".join(spoken[group[2] : group[3]]))


def _traced(best: dict, expected: Sequence[str], spoken: Sequence[str]) -> list[Group] | None:
    key, groups = (len(expected), len(spoken)), []
    if key not in best:
        return None
    while key != (0, 0):
        groups.append(best[key][1])
        key = groups[-1][0], groups[-1][2]
    groups.reverse()
    return groups if _convincing(groups, expected, spoken) else None


def _convincing(groups: list[Group], expected: Sequence[str], spoken: Sequence[str]) -> bool:
    """Whether all pairs sound alike; one read otherwise ("-5" as "dash five") is believed between two that do."""
    alike = [_alike("".join(expected[a:b]), "".join(spoken[c:d])) for a, b, c, d in groups]
    for i, (first, last, spoken_first, spoken_last) in enumerate(groups):
        single = last - first == 1 and spoken_last - spoken_first == max(1, len(expected[first].split()))
        if not alike[i] and not (single and all(alike[max(i - 1, 0) : i] + alike[i + 1 : i + 2])):
            return False
    return True


def _alike(expected: str, spoken: str) -> bool:
    longest = max(len(expected.translate(_STRESS)), len(spoken.translate(_STRESS)))
    short = longest <= 2  # "a" and "the" are reduced
    return short or not spoken or _distance(expected, spoken) <= max(1.0, _MOST_DIFFERENT * longest)


@functools.lru_cache(maxsize=16384)
def _distance(first: str, second: str) -> float:
    """Edit distance of two phoneme strings without stress and length marks; in a sentence vowels change easily."""
    first, second = first.translate(_STRESS), second.translate(_STRESS)
    row = [float(j) for j in range(len(second) + 1)]
    for i, a in enumerate(first, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + _change(a, b))
    return row[-1]


def _change(first: str, second: str) -> float:
    if first == second:
        return 0.0
    return 0.5 if first in VOWELS and second in VOWELS else 1.0
