"""Set the number of CPU threads of a command or a training run."""

import argparse
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import Accelerator


def use_cores(accelerator: "Accelerator", threads: int | None = None) -> None:
    """Gives PyTorch so many threads, or without a number this process's share of the cores; not beside a GPU."""
    import torch

    if accelerator.device.type == "cpu":
        here = int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))
        torch.set_num_threads(threads or max(1, cores() // here))


def cores() -> int:
    """Physical cores that this process may run on: two threads of one core gain nothing in matrix products."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, psutil.cpu_count(logical=False) or allowed)


MOST = 1024
"""Largest number of threads that is accepted; more than any machine gains from."""


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add the option to the parser of a command that computes."""
    parser.add_argument(
        "--threads",
        type=_number_of_threads,
        metavar="N",
        help="CPU threads (default: OMP_NUM_THREADS or all)",
    )


def use_threads(threads: int | None) -> None:
    """Set the number of threads of PyTorch; `None` leaves it as it is."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _number_of_threads(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= MOST:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of threads; give a whole number, 1 to {MOST}")
    return int(value)
