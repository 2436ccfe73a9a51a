"""Run espeak-ng in a separate process, so that a text at which it crashes ends only that process."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

from hf_vits.text import espeak_worker

VARIABLE = "PHONEMIZER_ESPEAK_LIBRARY"  # environment variable, which phonemizer reads too
_CLOSING_SECONDS = 2.0
_TIMED_OUT = (-signal.SIGXCPU,) if hasattr(signal, "SIGXCPU") else (1,)  # exit codes of the worker
# Held while a process is started, and while another thread forks: a forked child that inherits the pipes of an unknown
# process would keep that process alive.
_STARTING = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_STARTING.acquire, after_in_parent=_STARTING.release, after_in_child=_STARTING.release)


class EspeakEndedError(Exception):
    """Raised if espeak-ng's process ended before it answered."""

    def __init__(self, exit_code: int, first_request: bool):
        super().__init__(_reason(exit_code))
        self.first_request, self.took_too_long = first_request, exit_code in _TIMED_OUT


class EspeakProcess:
    """Start a process of `espeak_worker` at the first request; it ends with its parent.

    Threads share it, one at a time. A forked process starts its own.

    Args:
        paths: returns the paths of espeak-ng's shared library and of its data, or None for the library's default.
    """

    def __init__(self, paths: Callable[[], tuple[str, str | None]]):
        self._paths = paths
        self._lock = threading.Lock()  # held from a request to its answer
        self._process: subprocess.Popen | None = None
        self._in_process: espeak_worker.Library | None = None
        self._answered = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def ask(self, request: bytes) -> bytes:
        """Return the answer to a request, both as in `espeak_worker`.

        Raises:
            EspeakEndedError: if the process crashed, or ended itself after too long a time.
            ImportError: if the library cannot be used.
            OSError: if no process can be started.
        """
        with self._lock:
            if self._process is None and self._in_process is None:
                self._start()
            if self._in_process is not None:
                return self._in_process.answer(request)
            try:
                answer = self._exchange(request)
            except OSError:  # the worker closed the pipe
                answer = None
            except BaseException:  # an interrupt: else the next request would receive this answer
                self._process.kill()
                self.close()
                raise
            if answer is None:
                first_request = self._answered == 0
                raise EspeakEndedError(self.close(), first_request)
            self._answered += 1
            return answer

    def _exchange(self, request: bytes) -> bytes | None:
        espeak_worker.write(self._process.stdin.fileno(), request)
        return espeak_worker.read(self._process.stdout.fileno())

    def _start(self) -> None:
        path, data = self._paths()
        python = _interpreter()
        if python is None:
            self._in_process = _load_library(path, data)
            return
        with _STARTING:
            self._process = _spawn(python, os.path.abspath(path) if os.path.exists(path) else path, data or "")
        try:
            greeting = espeak_worker.read(self._process.stdout.fileno())
        except BaseException:
            self._process.kill()
            self.close()
            raise
        if greeting is None:
            raise OSError(f"The process in which espeak-ng runs ({python}) did not start: {_reason(self.close())}.")
        if greeting != espeak_worker.ANSWER:
            self.close()
            raise _unusable(path, greeting[1:].decode())

    def close(self) -> int:
        """End the process, if there is one, and return its exit code."""
        process, self._process, self._answered = self._process, None, 0
        if process is None:
            return 0
        process.stdin.close()
        process.stdout.close()
        try:
            return process.wait(_CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _forget(self) -> None:
        """Release the parent's process, and the lock that a thread of the parent may hold, after a fork."""
        process, self._process, self._answered = self._process, None, 0
        self._lock = threading.Lock()
        if process is not None:
            process.stdin.close()
            process.stdout.close()
            process.returncode = 0  # it is no child of this process


def _interpreter() -> str | None:
    """Return the path of Python; None in a frozen application, where it would start the application."""
    if getattr(sys, "frozen", False):
        return None
    spawn = sys.modules.get("multiprocessing.spawn")  # slow to import; may have another one set
    return os.fsdecode((spawn.get_executable() if spawn else sys.executable) or "") or None


def _spawn(python: str, path: str, data: str) -> subprocess.Popen:
    """Start the worker, which ignores keyboard interrupts of this process."""
    if os.name == "nt":
        options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    else:
        options = {"start_new_session": True}
    return subprocess.Popen(
        [
            python,
            "-s",
            "-S",
            "-P",
            espeak_worker.__file__,
            path,
            data,
        ],  # without site-packages: half the time
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        cwd=os.path.dirname(espeak_worker.__file__),  # Windows cannot remove the working directory of a process
        **options,
    )


def _load_library(path: str, data: str | None) -> espeak_worker.Library:
    try:
        return espeak_worker.Library(path, data)
    except espeak_worker.UNUSABLE as error:
        raise _unusable(path, error) from error


def _unusable(path: str, reason: object) -> ImportError:
    fix = f"Set {VARIABLE} to espeak-ng's shared library, or unset it" if VARIABLE in os.environ else "Install it again"
    return ImportError(f"{path} cannot be used as the library of espeak-ng ({reason}). {fix}.")


def _reason(code: int) -> str:
    if code in _TIMED_OUT:
        return "took too long"
    if code < 0:
        return f"crashed ({signal.Signals(-code).name if -code in set(signal.Signals) else f'signal {-code}'})"
    return f"crashed (exit code {code})"
