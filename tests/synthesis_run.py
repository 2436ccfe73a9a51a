"""Runs of `synthesize` in processes of their own, which may be killed or fail on the way."""

import multiprocessing
import os
import signal
import socket
from pathlib import Path

HEAVY = ["torch", "accelerate", "datasets", "transformers", "hf_vits.modeling_vits", "hf_vits.pipeline"]


def run(settings, processes=1, killed_at=None, failing_at=None):
    """Exit codes of processes, and what each tells: the rows it wrote, or its error.

    One is killed, or fails, when it writes a row.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)  # imports take seconds, and each process needs them
    folder = Path(settings["output_dir"]).parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        joint = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    running, messages = [], []
    for rank in range(processes):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "ACCELERATE_USE_CPU": "1", **joint}
        message = folder / f"message-{rank}.txt"
        message.write_text("")
        arguments = (place if processes > 1 else {}, settings, killed_at, failing_at, message)
        running.append(context.Process(target=_process, args=arguments))
        running[-1].start()
        messages.append(message)
    for process in running:
        process.join(120)
    return [process.exitcode for process in running], [message.read_text() for message in messages]


def _process(environment, settings, killed_at, failing_at, message):
    os.environ.update(environment)
    import datasets

    from hf_vits.synthesis import SynthesisSettings, synthesize
    from hf_vits.synthesis.output_folder import OutputFolder

    datasets.config.HF_DATASETS_CACHE = Path(settings["output_dir"]).parent / "cache"
    datasets.disable_progress_bars()
    write, replace, written = OutputFolder.write, os.replace, []

    def replace_or_die(source, target):  # what is written beside stays there
        if killed_at is not None and Path(target).name == f"{killed_at:06d}.flac":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    def write_or_fail(folder, row, *arguments):
        if row == failing_at:
            raise OSError("no space is left")
        write(folder, row, *arguments)
        written.append(row)

    os.replace, OutputFolder.write = replace_or_die, write_or_fail
    try:
        synthesize(SynthesisSettings(**settings))
        message.write_text(" ".join(map(str, written)))
    except Exception as error:
        message.write_text(str(error))
        os._exit(1)
