"""Handle signals that end a run, in the training process and in data workers, and memory that is kept once freed."""

import ctypes
import logging
import multiprocessing
import os
import signal
import threading
from functools import cache

from hf_vits.utils.distributed import LAUNCHED

logger = logging.getLogger(__name__)

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a run: from a user, a scheduler, and a terminal or connection that closes."""

LAUNCHER_MAY_END = (
    "`accelerate launch` may end before, with a traceback of its own: this process continues until it logs where the "
    "model is."
)
"""Note for users who press Ctrl-C, which the launcher receives too."""

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Numbers of `mallopt`'s parameters."""

LARGEST_KEPT = 2**23
"""Bytes above which the memory of a tensor is returned when it is freed, unless it was taken from the heap."""

NEVER = -1
"""Trim threshold with which free memory at the end of the heap is never returned."""


class GracefulShutdown:
    """
    Set `requested` on SIGINT, SIGTERM or SIGHUP, so that the loop finishes its step and saves; a second signal acts as
    usual. A signal that was ignored before stays ignored, as SIGHUP under `nohup` and SIGINT in the background of a
    script. `action` completes the message that the first signal logs.

    The end of `accelerate launch` counts as a signal: for a single process it passes none on. The end of any other
    parent does not, since a shell may end and leave what `nohup` started.
    """

    def __init__(self):
        self.action = "saves after this step and stops"
        self._requested, self._former_handlers = False, {}
        self._launcher = os.getppid() if LAUNCHED in os.environ else None

    @property
    def requested(self) -> bool:
        """Return whether the run should end."""
        if not self._requested and self._launcher is not None and self._launcher != os.getppid():
            self._request(f"The launcher has ended: {self.action}. Wait until the log says where the model is.")
        return self._requested

    def __enter__(self) -> "GracefulShutdown":
        if threading.current_thread() is threading.main_thread():  # other threads cannot have handlers
            handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._former_handlers = {number: signal.signal(number, self._handle) for number in handled}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame) -> None:
        self.__exit__()
        note = f" {LAUNCHER_MAY_END}" if self._launcher is not None else ""
        self._request(f"{signal.Signals(number).name}: {self.action}; a second signal stops at once.{note}")

    def _request(self, message: str) -> None:
        self._requested = True
        logger.warning(message)


def ignore_interrupts(worker: int) -> None:
    """
    Ignore signals in a worker that decodes audio: those to the whole process group reach it too.

    The training process ends its workers by SIGTERM, so they obey that signal if it comes from their parent.
    """
    for number in set(SIGNALS) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # without it the sender is unknown, and SIGTERM to the group ends the workers
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        parent = multiprocessing.parent_process().pid
        threading.Thread(target=_exit_on_sigterm_from, args=(parent,), daemon=True).start()


def _exit_on_sigterm_from(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def hold_free_memory() -> None:
    """Keep freed memory in this process from now on, for its next tensors; `return_free_memory` returns it."""
    if libc := _glibc():
        libc.mallopt(MMAP_THRESHOLD, LARGEST_KEPT)
        libc.mallopt(TRIM_THRESHOLD, NEVER)


def return_free_memory() -> None:
    """Return free memory to the system, which takes some hundredths of a second."""
    if libc := _glibc():
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.gnu_get_libc_version and libc.mallopt and libc.malloc_trim else None
    except (AttributeError, OSError, TypeError):
        return None
