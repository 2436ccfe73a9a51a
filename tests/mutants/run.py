"""Try the deliberate faults, and print those that no test detects.

The tests also run once without any fault, as those that fail anyway prove nothing.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from mutants import MUTANTS
from mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("src", "tests", "examples", "docs", "pyproject.toml", "setup.py", "README.md", "constraints.txt")
HEAVY = ("torch", "transformers", "accelerate", "datasets", "librosa", "matplotlib.pyplot", "soundfile", "scipy.signal")
"""What tests import for seconds each, and what imports nothing of ours."""

SECONDS = 600
"""Longest run of a test file; a fault that makes it hang is detected too."""


def main() -> int:
    """Run the faults and print a table; give the number of those that were not detected or not tried."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="faults whose file or test has this in its name")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a fault first")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in f"{mutant.file} {mutant.test}"]
    outcomes, began = [], time.monotonic()
    for name in HEAVY:
        import_module(name)
    assert "hf_vits" not in sys.modules
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = _copied(Path(folder))
        tests = dict.fromkeys((mutant.test, mutant.select) for mutant in chosen)
        broken = set() if options.trust else {test for test in tests if not _passes(tree, *test)}
        for mutant in chosen:
            test = (mutant.test, mutant.select)
            outcome = "fails anyway" if test in broken else _outcome(tree, mutant)
            outcomes.append(outcome)
            print(f"{outcome:16} {mutant.file:30} {' '.join(mutant.old.split())[:56]:57} {mutant.test}", flush=True)
    detected = outcomes.count("detected")
    print(f"{detected} of {len(outcomes)} faults are detected; {len(broken)} of {len(tests)} selections fail anyway.")
    print(f"{time.monotonic() - began:.0f} s")
    return min(1, len(outcomes) - detected + len(broken))


def _outcome(tree: Path, mutant: Mutant) -> str:
    """Say whether the tests fail with the fault: "detected", "NOT DETECTED", or why it could not be tried."""
    file = tree / "src" / "hf_vits" / mutant.file
    if not file.is_file():
        return "NO SUCH FILE"
    count = file.read_text(encoding="utf-8").count(mutant.old)
    if count != 1:
        return f"TEXT {count} TIMES"
    with _edited(file, mutant):
        code = _run(tree, mutant.test, mutant.select)
    return {0: "NOT DETECTED", 1: "detected", None: "detected"}.get(code, f"PYTEST SAYS {code}")


@contextmanager
def _edited(file: Path, mutant: Mutant) -> Iterator[None]:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def _run(tree: Path, test: str, select: str) -> int | None:
    """Run a test file up to its first failure in a child process; give pytest's code, `None` if it took too long.

    The child is forked from this process, which has imported what takes seconds, but nothing that may hold a fault.
    """
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _test(tree, test, select)
        finally:
            os._exit(code)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _test(tree: Path, test: str, select: str) -> int:
    """Run pytest in this process, on the copy, without a word."""
    os.setpgrp()  # so that what the tests start can be stopped with them
    os.chdir(tree)
    os.environ |= {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    sys.path.insert(0, str(tree / "src"))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    arguments = ["-q", "-x", "-p", "no:cacheprovider", f"tests/{test}", *(["-k", select] if select else [])]
    return int(pytest.main(arguments))


def _passes(tree: Path, test: str, select: str) -> bool:
    """Say whether tests pass without any fault; print it if they do not."""
    code = _run(tree, test, select)
    if code != 0:
        print(f"fails anyway: tests/{test} -k '{select}' (pytest says {code})", flush=True)
    return code == 0


def _copied(folder: Path) -> Path:
    """Copy what the tests need into a folder."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif source.is_file():
            shutil.copy2(source, target)
    return folder


if __name__ == "__main__":
    sys.exit(main())
