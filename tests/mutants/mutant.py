"""A deliberate fault."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A fault: in `file`, below src/hf_vits, `old` becomes `new`. Those tests of the file `test`, below tests, whose
    names `select` matches, all if it is empty, must fail then."""

    file: str
    old: str
    new: str
    test: str
    select: str = ""
