"""Set the number of CPU threads of speech, of a command or of a training run."""

import argparse
import os
from typing import TYPE_CHECKING

from hf_vits.utils.distributed import LAUNCHED
from hf_vits.utils.processor import model_name

if TYPE_CHECKING:
    from accelerate import Accelerator

MAX_THREADS = 1024
"""Largest number of threads that a command accepts."""

number_is_set = bool(os.environ.get("OMP_NUM_THREADS"))
"""True if the number of threads is somebody's choice, which speech keeps on a busy machine too."""


def set_num_threads(number: int | None) -> None:
    """
    Set the number of CPU threads to speak with, whatever else the machine does.

    Args:
        number (`int`, *optional*):
            Threads of PyTorch. `None` goes back to as many as there are free cores when a call begins, up to
            `torch.get_num_threads()`. That is how it begins, unless the environment variable `OMP_NUM_THREADS` is set.
            With a number, equal seeds give bitwise equal samples; with `None`, equal to rounding.

    Raises:
        ValueError: for a number below 1.
    """
    import torch

    global number_is_set
    if number is not None:
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"The number of threads is {number!r}; give a whole number above 0, or None.")
        torch.set_num_threads(number)
    number_is_set = number is not None


def use_cores(accelerator: "Accelerator", threads: int | None = None) -> None:
    """
    Set PyTorch's threads for a training process: a number, or its share of the cores; on a GPU, change nothing.

    `OMP_NUM_THREADS` of the user counts. That of a launcher does not: it is 1 unless somebody asks for more.
    """
    if accelerator.device.type != "cpu":
        return
    launched = LAUNCHED in os.environ or "LOCAL_WORLD_SIZE" in os.environ
    if threads is None and os.environ.get("OMP_NUM_THREADS") and not launched:
        return
    local = int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))
    set_num_threads(threads or max(1, cores() // local))


def cores() -> int:
    """Return the number of physical cores: a second thread per core does not speed up matrix products."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        import psutil
    except ImportError:  # part of the extra `train`; `hf-vits info` works without
        return allowed
    return min(allowed, psutil.cpu_count(logical=False) or allowed)


def processor() -> str:
    """Return PyTorch's threads and the processor, as measured times must name them."""
    import torch

    threads = torch.get_num_threads()
    return f"{threads} thread{'s' if threads > 1 else ''}, {model_name()}"


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Declare the option `--threads`."""
    parser.add_argument(
        "--threads",
        type=_number_of_threads,
        metavar="N",
        help="CPU threads (default: OMP_NUM_THREADS or all)",
    )


def use_threads(threads: int | None, most: int | None = None) -> None:
    """Set the number of threads of PyTorch; `None` leaves it to free cores, up to `most` if that is given."""
    if threads is not None:
        set_num_threads(threads)
    elif most is not None:
        import torch

        torch.set_num_threads(most)


def fix_threads(threads: int | None) -> None:
    """Set the number of threads of PyTorch for work whose figures must be equal each time; `None` keeps it as it is,
    also while cores are busy."""
    import torch

    use_threads(threads or torch.get_num_threads())


def _number_of_threads(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{value!r} must be a whole number, 1 to {MAX_THREADS}")
    return int(value)
