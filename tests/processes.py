"""Processes of their own, forked from one that has imported what takes seconds to import."""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

PRELOADED = ["torch", "accelerate", "datasets", "transformers", "soundfile", "hf_vits.training.trainer"]
PRELOADED += ["hf_vits.pipeline", "hf_vits.conversion", "hf_vits.cli.__main__", "librosa.filters"]

CONTEXT = multiprocessing.get_context("forkserver")

PATIENCE = 240
"""Seconds to wait for a process."""


def start(target: Callable, *arguments, environment: Mapping[str, str] | None = None):
    """Call a function of a module in a new process, with these environment variables added; return the process."""
    CONTEXT.set_forkserver_preload(PRELOADED)
    method = multiprocessing.get_start_method()
    process = CONTEXT.Process(target=_call, args=(dict(environment or {}), method, target, arguments))
    process.start()
    return process


def _call(environment, method, target, arguments):
    multiprocessing.set_start_method(method, force=True)  # not the server's, with which data workers import all again
    os.environ.update(environment)
    target(*arguments)


def exit_codes(started: Sequence) -> list[int | None]:
    """Wait for processes and return their exit codes; one that takes too long is killed, and its code is `None`."""
    for process in started:
        process.join(PATIENCE)
    codes = [process.exitcode for process in started]
    for process in started:
        process.kill()
    return codes


def signal_at(trainer, step: int | None, number: int) -> None:
    """Let the process of a trainer send itself a signal once so many steps are taken; never for `None`."""
    advance = trainer._advance

    def advance_and_signal(*arguments):
        advance(*arguments)
        if trainer.progress.step == step:
            os.kill(os.getpid(), number)

    trainer._advance = advance_and_signal


def joint_environments(count: int) -> list[dict[str, str]]:
    """Return the environment of each process of a run on this machine, as torchrun sets it; that of one is empty."""
    if count == 1:
        return [{}]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    joint = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "1"}
    return [{"RANK": str(rank), "LOCAL_RANK": str(rank), **joint} for rank in range(count)]


def queue():
    """Return a queue for results of processes."""
    return CONTEXT.SimpleQueue()


def put(results, function: Callable, *arguments) -> None:
    """Put the result of a function into a queue: the target of a process that returns something."""
    results.put(function(*arguments))


def execute(code: str) -> None:
    """Execute code: the target of a process for a few lines."""
    exec(code, {"__name__": "__main__"})


def command(arguments: Sequence[str], stdout: str | None = None, stdout_end=None, stderr_end=None) -> None:
    """
    Run `hf-vits` as a process of its own would be: the target of a process.

    Args:
        arguments: the command line without `hf-vits`.
        stdout: the file for standard output.
        stdout_end, stderr_end: ends of pipes for both outputs.
    """
    from hf_vits.cli import main

    if stdout is not None:
        os.dup2(os.open(stdout, os.O_WRONLY), 1)
    for end, number in ((stdout_end, 1), (stderr_end, 2)):
        if end is not None:
            os.dup2(end.fileno(), number)
            end.close()
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (the server's may have been a file, which can be rewound)
    status = main(arguments)
    sys.stdout.flush()  # as Python does at its end, where an error would be printed
    sys.exit(status)


def pipe():
    """Return a file that reads what a process writes to the other end, and that end, to be closed here."""
    receives, sends = CONTEXT.Pipe(duplex=False)
    file = open(os.dup(receives.fileno()), "rb", buffering=0)  # noqa: SIM115
    receives.close()
    return file, sends
