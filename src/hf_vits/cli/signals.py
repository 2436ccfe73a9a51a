"""Signals that end a command: an exception where it works, which comes after what must not be left half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C; what `kill` and a system that shuts down send; and what a terminal that closes sends."""


class Stopped(KeyboardInterrupt):
    """A signal asks for the end; `number` is its number, and the text its name."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


class _State:
    """The signal that was asked for the end last and is not yet answered, and how many blocks hold it back."""

    asked: int | None = None
    holding = 0


@contextmanager
def ending_signals() -> Iterator[None]:
    """Raise `Stopped` for each signal within the block, so that temporary files and folders are removed. Signals that
    are ignored, as under `nohup`, stay so; threads other than the main one cannot have handlers."""
    former = {}
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                former[number] = signal.signal(number, _ask)
    _State.asked, _State.holding = None, 0
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def held() -> Iterator[None]:
    """Hold signals back until the end of the block, where `Stopped` is raised if one has come."""
    _State.holding += 1
    try:
        yield
    finally:
        _State.holding -= 1
    check()


def check() -> None:
    """Raise `Stopped` if a signal has come: its exception may be lost, as in a function that C calls."""
    if _State.asked is not None and not _State.holding:
        raise Stopped(_State.asked)


def answer() -> None:
    """Take the signal that has come as answered; the next one raises again."""
    _State.asked = None


def _ask(number: int, frame) -> None:
    _State.asked = number
    check()
