"""Cases of a test that is marked `thorough(but_every=n)` that `make test` runs all the same."""

from collections import Counter


def leave_cases(items):
    """Take the mark from the first of every n cases of such a test, in the order in which pytest has collected them."""
    cases = Counter()
    for item in items:
        every = next((mark.kwargs["but_every"] for mark in item.own_markers if "but_every" in mark.kwargs), 0)
        if every:
            name = item.nodeid.split("[")[0]
            if cases[name] % every == 0:
                item.own_markers[:] = [mark for mark in item.own_markers if mark.name != "thorough"]
            cases[name] += 1
