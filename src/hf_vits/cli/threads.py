"""`--threads`: how many threads of the processor a command computes with."""

import argparse

MOST = 1024
"""Largest number of threads that is accepted; more than any machine gains from."""


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add the option to the parser of a command that computes."""
    parser.add_argument(
        "--threads",
        type=_number_of_threads,
        metavar="N",
        help="threads of the processor to compute with (default: OMP_NUM_THREADS, or all cores)",
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
