"""The table of deliberate faults follows the code: `make mutants` can apply each, and selects tests that exist."""

import re
from pathlib import Path

import pytest
from mutants import MUTANTS

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "hf_vits"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file}: {mutant.old.strip()[:40]}")
def test_a_fault_has_one_place_in_its_file_and_a_test_that_is_selected(mutant):
    assert (SOURCE / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    names = re.findall(r"def (test_\w+)", (TESTS / mutant.test).read_text(encoding="utf-8"))
    words = mutant.select.split(" or ") if mutant.select else [""]
    assert any(word in name for name in names for word in words)
