"""Ctrl-C, SIGTERM and SIGHUP as a wish that the loop grants after the step it is in, instead of a death in it."""

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
"""What ends a run: a user, a scheduler, and a terminal or connection that closes."""

LAUNCHER_GOES = (
    "`accelerate launch` may end before, with a traceback of its own: this process goes on until it says where the "
    "voice is."
)
"""What somebody sees who presses Ctrl-C, which the launcher gets too."""


class GracefulShutdown:
    """
    Within it, the first signal sets `wanted`; a second one acts as it always does. A signal that is ignored stays so,
    as SIGHUP under `nohup` and SIGINT in the background of a script. `promise` says what follows the first signal.

    So does the end of `accelerate launch`, which for a single process passes no signal on and leaves it behind. Any
    other parent may go: a shell does, and leaves what `nohup` began.
    """

    def __init__(self):
        self.asked, self.former = False, {}
        self.promise = "saves after this step and leaves"
        self.launcher = os.getppid() if LAUNCHED in os.environ else None

    @property
    def wanted(self) -> bool:
        """Whether the run is to end."""
        if not self.asked and self.launcher is not None and self.launcher != os.getppid():
            self._ask(f"The launcher has ended: {self.promise}. Wait until it says where the voice is.")
        return self.asked

    def __enter__(self) -> "GracefulShutdown":
        if threading.current_thread() is threading.main_thread():  # others cannot have handlers
            heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self.former = {number: signal.signal(number, self._note) for number in heeded}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame) -> None:
        self.__exit__()
        goes_on = f" {LAUNCHER_GOES}" if self.launcher is not None else ""
        self._ask(f"{signal.Signals(number).name}: {self.promise}; once more stops at once.{goes_on}")

    def _ask(self, message: str) -> None:
        self.asked = True
        logger.warning(message)


def ignore_interrupts(worker: int) -> None:
    """For processes that decode: signals to the whole group reach them too, but they end when the training process says
    so. It says so by SIGTERM as well; to ignore all of them would have it wait for its workers forever."""
    for number in set(SIGNALS) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # without it nobody knows who sent one, and SIGTERM to the group ends them
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        parent = multiprocessing.parent_process().pid
        threading.Thread(target=_leave_when_told, args=(parent,), daemon=True).start()


def _leave_when_told(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Numbers of `mallopt`'s parameters."""

LARGEST_HELD = 2**23
"""Bytes of a tensor above which it is given back when it is freed, unless it fitted into a hole between others."""

ALL = -1
"""So many bytes at the end of the heap are held."""


def hold_free_memory() -> None:
    """From now on this process keeps what it frees, for the next who asks; `return_free_memory` gives back what is free
    when it is called."""
    if libc := _glibc():
        libc.mallopt(MMAP_THRESHOLD, LARGEST_HELD)
        libc.mallopt(TRIM_THRESHOLD, ALL)


def return_free_memory() -> None:
    """Gives it back to the system, in some hundredths of a second."""
    if libc := _glibc():
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.gnu_get_libc_version and libc.mallopt and libc.malloc_trim else None
    except (AttributeError, OSError, TypeError):
        return None
