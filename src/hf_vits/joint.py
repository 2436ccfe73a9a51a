"""Work that several processes do in step: it ends in all of them if it fails, differs or stops in one."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hf_vits.wording import quoted

LOST = re.compile(
    r"gloo|nccl|\bmpi\b|timed? ?out|connection (was )?(closed|reset|refused|aborted)|broken pipe|process ?group",
    re.IGNORECASE,
)
"""What PyTorch's errors say when a process that it talks to does not answer."""


class ProcessFailed(RuntimeError):
    """Say in this process what failed in another one."""


def together(work: Callable, *arguments) -> list:
    """
    What `work(*arguments)` gives in each process, in their order; every process of the run must call it.

    Raises:
        Exception: what `work` raised in this process.
        ProcessFailed: if it raised anything in another one; says what.
    """
    from accelerate.utils import gather_object

    result, error, told = None, None, None
    try:
        result = work(*arguments)
    except Exception as raised:
        error, told = raised, f"{type(raised).__name__}: {raised}"
    outcomes = gather_object([(result, told)])
    if error is not None:
        raise error
    for process, (_, told) in enumerate(outcomes):
        if told is not None:
            raise ProcessFailed(f"Process {process} failed, and all end with it. {told}")
    return [result for result, _ in outcomes]


def check_agreement(facts: Mapping[str, Any], advice: str) -> None:
    """
    Compare facts of this process with those of all others; every process of the run must call it.

    Args:
        facts (`Mapping[str, Any]`):
            Values by name, which can be pickled and compared.
        advice (`str`):
            What to do, in a sentence.

    Raises:
        ValueError: in every process, if a value is not the same in all; says which, and what it is where.
    """
    everyones = together(lambda: dict(facts))
    names = dict.fromkeys(name for ones in everyones for name in ones)
    differing = [name for name in names if any(ones.get(name) != everyones[0].get(name) for ones in everyones)]
    if differing:
        told = "; ".join(
            f"{name} is "
            + ", ".join(f"{quoted(ones.get(name))} in process {number}" for number, ones in enumerate(everyones[:4]))
            for name in differing[:5]
        )
        more = f"; and {len(differing) - 5} more" if len(differing) > 5 else ""
        raise ValueError(f"The processes of this run do not agree: {told}{more}. {advice}")


@contextmanager
def lost_processes_named(process: int, processes: int, seconds: float, advice: str) -> Iterator[None]:
    """
    Turn PyTorch's errors about a process that does not answer into one that says so.

    Args:
        process, processes (`int`):
            Number of this process, and how many there are.
        seconds (`float`):
            How long one waits for another.
        advice (`str`):
            What to do, in a sentence.

    Raises:
        ConnectionError: if another process has ended, or has not answered for so long.
    """
    try:
        yield
    except RuntimeError as error:
        if processes == 1 or not _is_of_communication(error):
            raise
        raise ConnectionError(
            f"Process {process} of {processes} got no answer from another one: that one has ended, or did not answer "
            f"within {seconds:g} s. What it printed last says why. {advice}"
        ) from error


def _is_of_communication(error: RuntimeError) -> bool:
    import torch

    of_torch = getattr(torch.distributed, "DistError", ())
    return isinstance(error, of_torch) or bool(LOST.search(str(error)))
