"""Speak in processes of their own, whose interpreters do not wait for each other as those of threads do."""

import itertools
import multiprocessing
import pickle
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

SECONDS_TO_END = 10.0
"""Time for a process to end by itself after its last chunk; then it is killed."""


class ProcessEndedError(RuntimeError):
    """Raised by iterators of a process that has ended, as one does for which the system has too little memory."""


class SpeakingProcess:
    """
    A process with voices of its own, which makes items of several iterators by turns. One thread at a time may use it.

    Args:
        make_pool (`Callable`):
            Returns the [`VoicePool`] of the process; it is pickled, and called there.
    """

    def __init__(self, make_pool: Callable[[], Any]):
        self._make_pool, self._numbers = make_pool, itertools.count()
        self.loaded: list[str] = []
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy locks of threads
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self._make_pool), name="speech", daemon=True)
        self._process.start()
        other.close()

    def iterate(self, make: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
        """
        Yield the items of an iterator, each made in the process when it is asked for.

        Args:
            make (`Callable`):
                Returns the iterator for the pool of the process; it is pickled.

        Raises:
            ProcessEndedError: if the process has ended since. Another one is started for further iterators.
        """
        if not self._process.is_alive():
            self._restart()
        number, process, make_once = next(self._numbers), self._process, make
        while True:
            kind, value = self._ask(process, "next", number, make_once)
            if kind == "error":
                raise value
            if kind == "end":
                return
            try:
                yield value
            except GeneratorExit:
                self._ask(process, "close", number, None)
                raise
            make_once = None

    def _ask(self, process: multiprocessing.Process, *call: Any) -> tuple[str, Any]:
        try:
            if process is not self._process:
                raise EOFError
            self._connection.send(call)
            kind, value, trace, self.loaded = self._connection.recv()
        except (EOFError, OSError) as error:
            if process is self._process:
                self._restart()
            raise ProcessEndedError("The process that made this speech has ended.") from error
        if trace is not None:
            value.__cause__ = RuntimeError(trace)
        return kind, value

    def _restart(self) -> None:
        self.close()
        self._start()

    def close(self) -> None:
        """End the process after the item that it makes."""
        self._connection.close()
        self.loaded = []
        self._process.join(SECONDS_TO_END)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(connection: Connection, make_pool: Callable[[], Any]) -> None:
    """Answer calls until the other end is closed; signals to end are for the server, which closes it."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    pool, iterators = make_pool(), {}
    while True:
        try:
            verb, number, make = connection.recv()
        except EOFError:
            return
        kind, value, trace = "end", None, None
        try:
            if verb == "close":
                iterators.pop(number)  # which closes a generator
            else:
                if make is not None:
                    iterators[number] = iter(make(pool))
                kind, value = "item", next(iterators[number])
        except StopIteration:
            del iterators[number]
        except Exception as error:
            iterators.pop(number, None)
            kind, value, trace = "error", _sendable(error), traceback.format_exc()
        connection.send((kind, value, trace, pool.loaded))


def _sendable(error: Exception) -> Exception:
    """Return an exception that the other process can read."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
