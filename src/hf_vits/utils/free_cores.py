"""Speak with the threads whose cores are free, on a machine that has other work.

PyTorch shares each operation among its threads, and all wait for the slowest: one that has to wait for its core makes a
sentence of a thousand operations take several times as long as one thread alone does. So a call that speaks takes
fewer threads while other processes compute, unless somebody set their number. Training always takes the number set.
"""

import os
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hf_vits.utils.torch_state import is_inference

Function = TypeVar("Function", bound=Callable)

LASTS = 0.02
"""Seconds for which a look at the machine counts; one takes 0.1 ms."""

PAUSE = 0.0002
"""Seconds between two looks that must agree, because the system's own short tasks count too."""

PROC = Path("/proc")
"""Where Linux tells of the machine's processes."""

_is_set = bool(os.environ.get("OMP_NUM_THREADS"))
_lock = threading.Lock()
_running: set[int] = set()
_most = 1
_last_look = (float("-inf"), 0)


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
    global _is_set
    if number is not None:
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"The number of threads is {number!r}; give a whole number above 0, or None.")
        torch.set_num_threads(number)
    _is_set = number is not None


def on_free_cores(kernel: Function) -> Function:
    """Decorate a kernel of a plain function, a module and a signal: on a CPU, without gradients, it computes with the
    threads whose cores are free."""

    @wraps(kernel)
    def run(plain: Callable, module: nn.Module, signal: Tensor, *args: Any, **kwargs: Any) -> Any:
        caller = threading.get_ident()
        is_free = not _is_set and signal.device.type == "cpu" and is_inference(module) and caller not in _running
        if not is_free or torch.get_num_threads() == 1 and not _running:
            return kernel(plain, module, signal, *args, **kwargs)
        before, calls = _begin(caller)
        try:
            free = (os.cpu_count() or 1) - busy_cores()
            torch.set_num_threads(max(1, min(before, free // calls)))
            return kernel(plain, module, signal, *args, **kwargs)
        finally:
            with _lock:
                _running.discard(caller)
            torch.set_num_threads(before)

    return run


def _begin(caller: int) -> tuple[int, int]:
    """Return the threads to come back to after a call, and the calls that run now. PyTorch gives a new thread the
    number that was set last, so what counts is the number from before the first of these calls."""
    global _most
    with _lock:
        if not _running:
            _most = torch.get_num_threads()
        _running.add(caller)
        return _most, len(_running)


def busy_cores() -> int:
    """Return the number of cores on which other processes compute; 0 where the system does not tell (not Linux)."""
    global _last_look
    now = time.monotonic()
    if now - _last_look[0] > LASTS:
        busy = _other_threads()
        if busy:
            time.sleep(PAUSE)
            busy = min(busy, _other_threads())
        _last_look = now, busy
    return _last_look[1]


def _other_threads() -> int:
    """Return the threads of other processes that compute or wait for a core."""
    try:
        running = int((PROC / "loadavg").read_text().split()[3].partition("/")[0])
        own = sum(map(_computes, (PROC / "self" / "task").iterdir()))
    except (OSError, ValueError, IndexError):
        return 0
    return max(0, running - own)


def _computes(task: Path) -> bool:
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0] == "R"
    except OSError:  # it has ended
        return False
