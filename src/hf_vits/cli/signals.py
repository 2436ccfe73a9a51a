"""Signals that end a command: an exception, delayed while a block must not be interrupted."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C; the signal of `kill` and of a shutdown; and that of a terminal that closes."""


class Stopped(KeyboardInterrupt):
    """A signal that ends the command; `number` is its number, and the text its name."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


class _State:
    """The last signal that was not answered yet, and the number of blocks that delay it."""

    received: int | None = None
    holding = 0


@contextmanager
def ending_signals() -> Iterator[None]:
    """Raise `Stopped` for each signal within the block, so that temporary files are removed; signals that are ignored,
    as under `nohup`, stay ignored."""
    former = {}
    if threading.current_thread() is threading.main_thread():  # others cannot have handlers
        for number in ENDING:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                former[number] = signal.signal(number, _receive)
    _State.received, _State.holding = None, 0
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def delayed_signals() -> Iterator[None]:
    """Delay signals until the end of the block, and raise `Stopped` there if one has arrived."""
    _State.holding += 1
    try:
        yield
    finally:
        _State.holding -= 1
    check_signals()


def check_signals() -> None:
    """Raise `Stopped` if a signal has arrived: its exception may be lost, as in a callback from C."""
    if _State.received is not None and not _State.holding:
        raise Stopped(_State.received)


def answer_signal() -> None:
    """Mark the signal as answered; the next one raises again."""
    _State.received = None


def _receive(number: int, frame) -> None:
    _State.received = number
    check_signals()
