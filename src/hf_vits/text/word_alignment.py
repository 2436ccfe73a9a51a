"""Which written words became which spoken words: espeak reads "42" as two words and "of the" as one."""

import functools
from collections.abc import Iterable, Sequence
from math import inf

Group = tuple[int, int, int, int]  # words first to last, spoken words first to last; ends excluded
_MOST_JOINED = 4  # written words that espeak speaks as one
_BAND = 8  # spoken words by which a pairing may stray from the expected place, and as many as the longest word has
_MOST_DIFFERENT = 0.5  # distance per phoneme above which a pairing is not believed
VOWELS = frozenset("aeiouyæɐɑɒɔəɚɛɜɝɪɨʉʊʌøœɵɤɯᵻ")
_WORK, _WORK_PER_CHARACTER = 5_000_000, 400
_LARGE = 1000  # pairs of phonemes from which on numpy is faster
_STRESS = str.maketrans("", "", "ˈˌː ")


class Work:
    """How much may still be compared to tell the words of a text apart, in pairs of phonemes.

    An ordinary text takes some 30 to 250 for each of its characters. Rows of numbers, and of symbols that are read as
    several words, can be divided in so many ways that it would take minutes.
    """

    def __init__(self, characters: int):
        self.left = _WORK + _WORK_PER_CHARACTER * characters
        """Pairs of phonemes."""


class _TooMuchWork(Exception):
    pass


def pair(expected: Sequence[str], spoken: Sequence[str], work: Work) -> list[Group] | None:
    """Pairs words with spoken words, both in order and none left over.

    Args:
        expected: each written word's phonemes when spoken alone, with spaces where it is read as several.
        spoken: the words that were spoken.
        work: what may be spent, which becomes less.

    Returns:
        The pairs; None when none are convincing, or when finding them is too much work.
    """
    if len(expected) == 1 and spoken:
        return [(0, 1, 0, len(spoken))]
    straight = _straight(expected, spoken)
    if straight is not None:
        return straight
    try:
        return _cheapest(expected, spoken, work)
    except _TooMuchWork:
        return None


def _straight(expected: Sequence[str], spoken: Sequence[str]) -> list[Group] | None:
    """The usual case: every word is read as many words as when alone, and sounds about the same."""
    groups, position = [], 0
    for i, phonemes in enumerate(expected):
        end = position + len(phonemes.split())
        groups.append((i, i + 1, position, end))
        position = end
    return groups if position == len(spoken) and _convincing(groups, expected, spoken) else None


def _cheapest(expected: Sequence[str], spoken: Sequence[str], work: Work) -> list[Group] | None:
    """The pairing of least total edit distance, by dynamic programming in a band around the expected places."""
    places = [0]
    for phonemes in expected:
        places.append(places[-1] + len(phonemes.split()))
    scale = len(spoken) / max(places[-1], 1)
    band = max([_BAND, *(len(phonemes.split()) for phonemes in expected)])  # long numbers are read as many words
    best: dict[tuple[int, int], tuple[float, Group | None]] = {(0, 0): (0.0, None)}
    plain = [phonemes.translate(_STRESS) for phonemes in expected], [word.translate(_STRESS) for word in spoken]
    for i in range(len(expected)):
        place = round(places[i] * scale)
        alone = places[i + 1] - places[i]
        for j in range(max(0, place - band), min(len(spoken), place + band) + 1):
            if (i, j) not in best:
                continue
            for group, distance in _steps(i, j, alone, *plain, work):
                cost = best[i, j][0] + distance
                key = group[1], group[3]
                if cost < best.get(key, (inf, None))[0]:
                    best[key] = cost, group
    return _traced(best, expected, spoken)


def _steps(
    i: int, j: int, alone: int, expected: Sequence[str], spoken: Sequence[str], work: Work
) -> Iterable[tuple[Group, float]]:
    """Groups that begin with word i, read as `alone` words when alone, and spoken word j; each with its distance."""
    counts = [n for n in range(max(0, alone - 2), alone + 3) if j + n <= len(spoken)]
    yield from (
        ((i, i + 1, j, j + n), distance)
        for n, distance in zip(counts, _distances(expected[i], spoken[j:], counts, work), strict=True)
    )
    counts = [n for n in range(2, _MOST_JOINED + 1) if i + n <= len(expected)] if j < len(spoken) else []
    yield from (
        ((i, i + n, j, j + 1), distance)
        for n, distance in zip(counts, _distances(spoken[j] if counts else "", expected[i:], counts, work), strict=True)
    )


def _distances(one: str, others: Sequence[str], counts: Sequence[int], work: Work) -> list[float]:
    """The distances of a word from the first `n` of other words put together, for each n of `counts`, ascending."""
    if not counts:
        return []
    together = "".join(others[: counts[-1]])
    work.left -= len(one) * len(together)
    if work.left < 0:
        raise _TooMuchWork
    row = _row(one, together)
    return [row[sum(map(len, others[:n]))] for n in counts]


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


def _distance(first: str, second: str) -> float:
    """Edit distance of two phoneme strings without stress and length marks; in a sentence vowels change easily."""
    return _row(first.translate(_STRESS), second.translate(_STRESS))[-1]


@functools.lru_cache(maxsize=4096)
def _row(first: str, second: str) -> Sequence[float]:
    """The edit distances of a string from all beginnings of another, from the empty one to the whole."""
    if len(first) * len(second) > _LARGE:
        return _large_row(first, second)
    row = [float(j) for j in range(len(second) + 1)]
    for i, a in enumerate(first, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + _change(a, b))
    return row


def _large_row(first: str, second: str) -> Sequence[float]:
    """The same, faster for long strings."""
    import numpy as np

    places = np.arange(len(second) + 1.0)
    vowels = np.array([b in VOWELS for b in second])
    changes = {
        a: np.where([a == b for b in second], 0.0, np.where(vowels, 0.5, 1.0) if a in VOWELS else 1.0)
        for a in set(first)
    }
    row = places
    for i, a in enumerate(first, 1):
        without_insertion = np.concatenate([[i], np.minimum(row[1:] + 1, row[:-1] + changes[a])])
        row = np.minimum.accumulate(without_insertion - places) + places
    return row.tolist()


def _change(first: str, second: str) -> float:
    if first == second:
        return 0.0
    return 0.5 if first in VOWELS and second in VOWELS else 1.0
