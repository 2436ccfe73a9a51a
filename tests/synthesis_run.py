"""Runs of `synthesize` in processes of their own, which may be killed or fail on the way."""

import os
import signal
from pathlib import Path

from processes import exit_codes, joint_environments, start


def run(settings, processes=1, killed_at=None, failing_at=None):
    """Exit codes of processes, and what each tells: the rows it wrote, or its error.

    One is killed, or fails, when it writes a row.
    """
    folder = Path(settings["output_dir"]).parent
    running, messages = [], []
    for rank, place in enumerate(joint_environments(processes)):
        message = folder / f"message-{rank}.txt"
        message.write_text("")
        running.append(start(_synthesize, settings, killed_at, failing_at, message, environment=place))
        messages.append(message)
    return exit_codes(running), [message.read_text() for message in messages]


def _synthesize(settings, killed_at, failing_at, message):
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
