"""Deliberate faults, one at a time, each of which the nearest test file must detect: `make mutants`.

Every fault is a small edit of one source file in a copy of the tree. If no test detects it, a test is missing or
cannot fail. Its text must occur exactly once in the file: the tables must follow the code, which tests/test_mutants.py
checks.
"""

from mutants import files, model, speech, training

MUTANTS = [*speech.MUTANTS, *model.MUTANTS, *training.MUTANTS, *files.MUTANTS]
