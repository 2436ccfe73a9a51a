"""Align the words of a text with words of phonemes: espeak-ng pronounces "42" as two words and "of the" as one."""

import functools
from collections.abc import Iterable, Sequence
from math import inf

Group = tuple[int, int, int, int]  # words first to last, words of phonemes first to last; ends excluded
VOWELS = frozenset("aeiouyæɐɑɒɔəɚɛɜɝɪɨʉʊʌøœɵɤɯᵻ")
_MAX_JOINED = 4  # words that espeak-ng pronounces as one
_BAND = 8  # least distance from the expected place, in words of phonemes; the longest word may need more
_MAX_DIFFERENCE = 0.5  # edit distance per phoneme above which an alignment is rejected
_UNKNOWN = 0.9  # weight of phonemes for a mark, such as "*", which on its own has none; less than for another word
_BUDGET, _BUDGET_PER_CHARACTER = 5_000_000, 400
_LARGE = 1000  # pairs of phonemes above which numpy is faster
_STRESS = str.maketrans("", "", "ˈˌː ")
_STRESSES = ("ˈ", "ˌ")


class Budget:
    """Limit the pairs of phonemes that are compared to align one text.

    An ordinary text needs about 30 to 250 per character. Sequences of numbers, and of signs that are read as several
    words, have so many alignments that a search would take minutes.
    """

    def __init__(self, characters: int):
        self.left = _BUDGET + _BUDGET_PER_CHARACTER * characters

    def spend(self, pairs: int) -> None:
        """Subtract from the budget; raise _BudgetExceededError if too little is left."""
        self.left -= pairs
        if self.left < 0:
            raise _BudgetExceededError


class _BudgetExceededError(Exception):
    pass


def align(isolated: Sequence[str], phonemes: Sequence[str], budget: Budget) -> list[Group] | None:
    """Align words with words of phonemes, both in order and without remainder.

    Args:
        isolated: each word's phonemes on its own, with spaces where it is read as several words.
        phonemes: the words of phonemes of the whole clause.
        budget: reduced by each comparison.

    Returns:
        The aligned groups; neighboring words whose phonemes differ too much are one group. None if all differ too much
        or the budget is exceeded.
    """
    if len(isolated) == 1 and phonemes:
        return [(0, 1, 0, len(phonemes))]
    if (groups := _by_word_counts(isolated, phonemes)) is not None:
        return groups
    try:
        return _by_edit_distance(isolated, phonemes, budget)
    except _BudgetExceededError:
        return None


@functools.lru_cache(maxsize=1024)
def divide(isolated: tuple[str, ...], phonemes: str) -> list[int]:
    """
    Divide a word of phonemes that is pronounced for several words at once, such as "ʌvðə" for "of the".

    Args:
        isolated: each word's phonemes on its own.
        phonemes: those of all words together.

    Returns:
        The number of phonemes of each word, of least total edit distance. A mark of stress or length stays with its
        phoneme. Each word has one at least; if there are fewer phonemes than words, the last word has them all.
    """
    whole = len(phonemes)
    ends = [i for i in range(1, whole) if phonemes[i - 1] not in _STRESSES and phonemes[i] != "ː"]
    if len(ends) + 1 < len(isolated):
        return [*[0] * (len(isolated) - 1), whole]
    ends, best = [*ends, whole], {0: (0.0, ())}
    for word in isolated:
        longer: dict[int, tuple[float, tuple[int, ...]]] = {}
        for start, (cost, counts) in best.items():
            row = _row(word, phonemes[start:])
            for end in ends:
                if end > start and (found := cost + row[end - start]) < longer.get(end, (inf,))[0]:
                    longer[end] = found, (*counts, end - start)
        best = longer
    return list(best[whole][1])


def _by_word_counts(isolated: Sequence[str], phonemes: Sequence[str]) -> list[Group] | None:
    """Align the usual case: every word has as many words of phonemes as on its own, and about the same phonemes."""
    groups, position = [], 0
    for i, word in enumerate(isolated):
        end = position + len(word.split())
        groups.append((i, i + 1, position, end))
        position = end
    return groups if position == len(phonemes) and all(_plausible(groups, isolated, phonemes)) else None


def _by_edit_distance(isolated: Sequence[str], phonemes: Sequence[str], budget: Budget) -> list[Group] | None:
    """Find the alignment of least total edit distance by dynamic programming in a band around the expected places."""
    places = [0]
    for word in isolated:
        places.append(places[-1] + len(word.split()))
    scale = len(phonemes) / max(places[-1], 1)
    band = max([_BAND, *(len(word.split()) for word in isolated)])  # long numbers are read as many words
    best: dict[tuple[int, int], tuple[float, Group | None]] = {(0, 0): (0.0, None)}
    plain = [word.translate(_STRESS) for word in isolated], [word.translate(_STRESS) for word in phonemes]
    for i in range(len(isolated)):
        place = round(places[i] * scale)
        count = places[i + 1] - places[i]
        for j in range(max(0, place - band), min(len(phonemes), place + band) + 1):
            if (i, j) not in best:
                continue
            for group, distance in _steps(i, j, count, *plain, budget):
                cost = best[i, j][0] + distance
                key = group[1], group[3]
                if cost < best.get(key, (inf, None))[0]:
                    best[key] = cost, group
    return _traced(best, isolated, phonemes)


def _steps(
    i: int, j: int, count: int, isolated: Sequence[str], phonemes: Sequence[str], budget: Budget
) -> Iterable[tuple[Group, float]]:
    """Yield groups that begin with word i, of `count` words of phonemes on its own, and phonemes j, with distances."""
    counts = [n for n in range(max(0, count - 2), count + 3) if j + n <= len(phonemes)]
    costs = _distances(isolated[i], phonemes[j:], counts, budget)
    weight = 1 if isolated[i] else _UNKNOWN
    yield from (((i, i + 1, j, j + n), weight * cost) for n, cost in zip(counts, costs, strict=True))
    counts = [n for n in range(2, _MAX_JOINED + 1) if i + n <= len(isolated)] if j < len(phonemes) else []
    costs = _distances(phonemes[j] if counts else "", isolated[i:], counts, budget)
    yield from (((i, i + n, j, j + 1), cost) for n, cost in zip(counts, costs, strict=True))


def _distances(one: str, others: Sequence[str], counts: Sequence[int], budget: Budget) -> list[float]:
    """Return a word's distances from the concatenation of the first n others, for each n of `counts`, ascending."""
    if not counts:
        return []
    together = "".join(others[: counts[-1]])
    budget.spend(len(one) * len(together))
    row = _row(one, together)
    return [row[sum(map(len, others[:n]))] for n in counts]


def _traced(best: dict, isolated: Sequence[str], phonemes: Sequence[str]) -> list[Group] | None:
    key, groups = (len(isolated), len(phonemes)), []
    if key not in best:
        return None
    while key != (0, 0):
        groups.append(best[key][1])
        key = groups[-1][0], groups[-1][2]
    groups.reverse()
    return _joined(groups, _plausible(groups, isolated, phonemes))


def _plausible(groups: list[Group], isolated: Sequence[str], phonemes: Sequence[str]) -> list[bool]:
    """Accept groups of similar phonemes, and a single other one ("-5" as "dash five") between two of these."""
    similar = [_is_similar("".join(isolated[a:b]), "".join(phonemes[c:d])) for a, b, c, d in groups]
    plausible = list(similar)
    for i, (first, last, phonemes_first, phonemes_last) in enumerate(groups):
        single = last - first == 1 and phonemes_last - phonemes_first == max(1, len(isolated[first].split()))
        plausible[i] |= single and all(similar[max(i - 1, 0) : i] + similar[i + 1 : i + 2])
    return plausible


def _joined(groups: list[Group], plausible: list[bool]) -> list[Group] | None:
    """Join each run of groups that are not plausible to one; None if there are no others."""
    if not any(plausible):
        return None
    out: list[Group] = []
    for i, (group, accepted) in enumerate(zip(groups, plausible, strict=True)):
        if out and not accepted and not plausible[i - 1]:
            out[-1] = (out[-1][0], group[1], out[-1][2], group[3])
        else:
            out.append(group)
    return out


def _is_similar(isolated: str, phonemes: str) -> bool:
    longest = max(len(isolated.translate(_STRESS)), len(phonemes.translate(_STRESS)))
    short = longest <= 2  # "a" and "the" are reduced
    return short or not phonemes or _distance(isolated, phonemes) <= max(1.0, _MAX_DIFFERENCE * longest)


def _distance(first: str, second: str) -> float:
    """Return the edit distance without stress and length marks; vowels cost half, as they vary within sentences."""
    return _row(first.translate(_STRESS), second.translate(_STRESS))[-1]


@functools.lru_cache(maxsize=4096)
def _row(first: str, second: str) -> Sequence[float]:
    """Return the edit distances of a string from all prefixes of another, from the empty one to the whole."""
    if len(first) * len(second) > _LARGE:
        return _large_row(first, second)
    row = [float(j) for j in range(len(second) + 1)]
    for i, a in enumerate(first, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + _substitution_cost(a, b))
    return row


def _large_row(first: str, second: str) -> Sequence[float]:
    """Compute `_row` with numpy, which is faster for long strings."""
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


def _substitution_cost(first: str, second: str) -> float:
    if first == second:
        return 0.0
    return 0.5 if first in VOWELS and second in VOWELS else 1.0
