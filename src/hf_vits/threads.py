"""Threads of a process on a CPU: `accelerate launch` leaves each one, and all other cores idle."""

import os
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator


def use_cores(accelerator: "Accelerator", threads: int | None = None) -> None:
    """Gives PyTorch so many threads, or without a number this process's share of the cores; not beside a GPU."""
    if accelerator.device.type == "cpu":
        here = int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))
        torch.set_num_threads(threads or max(1, cores() // here))


def cores() -> int:
    """Physical cores that this process may run on: two threads of one core gain nothing in matrix products."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, psutil.cpu_count(logical=False) or allowed)
