"""Each test runs in one of `make test`, `make test-thorough` and `make test-slow`, and CI runs the first two."""

import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from thorough import leave_cases

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SELECTED = dict(re.findall(r'^(test[\w-]*):.*\n\t.* -m "?([^"\n]*)"?$', MAKEFILE, re.M))
"""The expression by which each target of the Makefile selects tests."""


def item(name, *marks):
    return SimpleNamespace(nodeid=f"tests/test_it.py::{name}", own_markers=[mark.mark for mark in marks])


def thorough(items):
    """The names of the items that are marked `thorough` once pytest has collected them."""
    leave_cases(items)
    return [it.nodeid.split("::")[1] for it in items if any(mark.name == "thorough" for mark in it.own_markers)]


def test_every_third_case_is_left_to_the_tests_of_every_day():
    third = pytest.mark.thorough(but_every=3)
    items = [item(f"a[{case}]", third) for case in "uvwxy"] + [item("b[u]", third), item("b[v]", third)]
    assert thorough(items) == ["a[v]", "a[w]", "a[y]", "b[v]"]


def test_other_marks_are_kept():
    case = item("a[u]", pytest.mark.thorough(but_every=2), pytest.mark.timeout(9))
    assert not thorough([case]) and [mark.name for mark in case.own_markers] == ["timeout"]
    assert thorough([item("whole", pytest.mark.thorough), item("plain"), item("other", pytest.mark.slow)]) == ["whole"]


@pytest.mark.parametrize(("thorough", "slow"), [*itertools.product([False, True], repeat=2)])
def test_one_target_selects_each_test(thorough, slow):
    marks = {"thorough": thorough, "slow": slow, "hub": False}
    assert {"test", "test-thorough", "test-slow"} <= SELECTED.keys()
    assert sum(eval(SELECTED[name], {}, marks) for name in ("test", "test-thorough", "test-slow")) == 1


def test_ci_runs_the_tests_of_every_day_and_the_thorough_ones():
    commands = re.findall(r"^make ([\w-]+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M)
    assert commands == ["lint", "test", "test-thorough"]
