"""Work that several processes do in step: it ends in all of them if it fails, differs or stops in one."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hf_vits.utils.formatting import quoted

LOST = re.compile(
    r"gloo|nccl|\bmpi\b|timed? ?out|connection (was )?(closed|reset|refused|aborted)|broken pipe|process ?group",
    re.IGNORECASE,
)
"""What PyTorch's errors say when a process that it talks to does not answer."""


class ProcessFailed(RuntimeError):
    """Say in this process what failed in another one."""


def run_on_all_processes(work: Callable, *arguments) -> list:
    """
    What `work(*arguments)` gives in each process, in their order; every process of the run must call it.

    Raises:
        Exception: what `work` raised in this process.
        ProcessFailed: if it raised anything in another one; says what.
    """
    from accelerate.utils import gather_object

    result, error, told = None, None, None
    try:
        result = work(*arguments)
    except Exception as raised:
        error, told = raised, f"{type(raised).__name__}: {raised}"
    outcomes = gather_object([(result, told)])
    if error is not None:
        raise error
    for process, (_, told) in enumerate(outcomes):
        if told is not None:
            raise ProcessFailed(f"Process {process} failed, and all end with it. {told}")
    return [result for result, _ in outcomes]


def check_agreement(facts: Mapping[str, Any], advice: str) -> None:
    """
    Compare facts of this process with those of all others; every process of the run must call it.

    Args:
        facts (`Mapping[str, Any]`):
            Values by name, which can be pickled and compared.
        advice (`str`):
            What to do, in a sentence.

    Raises:
        ValueError: in every process, if a value is not the same in all; says which, and what it is where.
    """
    everyones = run_on_all_processes(lambda: dict(facts))
    names = dict.fromkeys(name for ones in everyones for name in ones)
    differing = [name for name in names if any(ones.get(name) != everyones[0].get(name) for ones in everyones)]
    if differing:
        told = "; ".join(
            f"{name} is "
            + ", ".join(f"{quoted(ones.get(name))} in process {number}" for number, ones in enumerate(everyones[:4]))
            for name in differing[:5]
        )
        more = f"; and {len(differing) - 5} more" if len(differing) > 5 else ""
        raise ValueError(f"The processes of this run do not agree: {told}{more}. {advice}")


@contextmanager
def lost_processes_named(process: int, processes: int, seconds: float, advice: str) -> Iterator[None]:
    """
    Turn PyTorch's errors about a process that does not answer into one that says so.

    Args:
        process, processes (`int`):
            Number of this process, and how many there are.
        seconds (`float`):
            How long one waits for another.
        advice (`str`):
            What to do, in a sentence.

    Raises:
        ConnectionError: if another process has ended, or has not answered for so long.
    """
    try:
        yield
    except RuntimeError as error:
        if processes == 1 or not _is_of_communication(error):
            raise
        raise ConnectionError(
            f"Process {process} of {processes} got no answer from another one: that one has ended, or did not answer "
            f"within {seconds:g} s. What it printed last says why. {advice}"
        ) from error


def _is_of_communication(error: RuntimeError) -> bool:
    import torch

    of_torch = getattr(torch.distributed, "DistError", ())
    return isinstance(error, of_torch) or bool(LOST.search(str(error)))


logger = logging.getLogger(__name__)

LAUNCHED = "ACCELERATE_MIXED_PRECISION"
"""Environment variable that `accelerate launch` sets, whatever it launches."""

ON_CPUS = "Without GPUs, start N processes by `ACCELERATE_USE_CPU=1 torchrun --nproc_per_node N …`."


SHARDING = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism configuration",
}
"""Environment variables by which `accelerate launch` asks for a model in parts, and what each is called."""

PRECISIONS = ("no", "bf16", "fp16")
"""Precisions that training knows."""


def refuse_sharding() -> None:
    """Raise `ValueError` if the launcher asks for a model in parts: each process here holds all of it."""
    asked = [name for variable, name in SHARDING.items() if _is_true(os.environ.get(variable, ""))]
    if asked:
        raise ValueError(
            f"`accelerate launch` asks for {' and '.join(asked)}, which is not supported: nothing would be sharded. "
            "Run `accelerate config` again without it, or `accelerate launch` without its options; several processes "
            "share a step as it is."
        )


def launched_precision(own: str | None) -> str:
    """
    Resolve the precision of a run: its own, or the launcher's where none is given.

    Args:
        own (`str`, *optional*):
            `mixed_precision` of the run's settings.

    Returns:
        `str`: "no", "bf16" or "fp16".

    Raises:
        ValueError: for a precision of the launcher that training does not know, and for fp16 on a CPU.
    """
    launchers = os.environ.get(LAUNCHED, "no").lower()
    precision = launchers if own is None else own
    if precision not in PRECISIONS:
        raise ValueError(
            f"`accelerate launch` asks for the precision {precision}; training knows {', '.join(PRECISIONS)}. Give "
            "one of these to the launcher, or as `mixed_precision`."
        )
    if precision == "fp16" and _on_cpu():
        asks = "`mixed_precision` is" if own else "`accelerate launch` asks for"
        raise ValueError(f"{asks} fp16, which a CPU does not train in; give `mixed_precision` as bf16 or no.")
    return precision


def warn_of_ignored(own_precision: str | None = None, accumulation: int | None = None) -> None:
    """
    Warn of each of the launcher's settings that differs from the run's own, which is used, or has no effect here.

    Args:
        own_precision (`str`, *optional*):
            `mixed_precision` of the run's settings.
        accumulation (`int`, *optional*):
            `gradient_accumulation_steps` of the run's settings; `None` for work that has no gradients.
    """
    launchers, ignored = os.environ.get(LAUNCHED, "no").lower(), {}
    if own_precision is not None and launchers not in ("no", own_precision):
        ignored[f"mixed_precision {launchers}"] = f"this run's precision is {own_precision}"
    if (backend := os.environ.get("ACCELERATE_DYNAMO_BACKEND", "NO")).upper() != "NO":
        ignored[f"dynamo_backend {backend.lower()}"] = "nothing is compiled"
    given = _launcher_arguments()
    steps = given.get("gradient_accumulation_steps") or os.environ.get("ACCELERATE_GRADIENT_ACCUMULATION_STEPS")
    if steps is not None and str(steps) != str(accumulation):
        use = f"the run's own is {accumulation}" if accumulation else "there are no gradients"
        ignored[f"gradient_accumulation_steps {steps}"] = use
    if (norm := given.get("gradient_clipping") or os.environ.get("ACCELERATE_GRADIENT_CLIPPING")) is not None:
        ignored[f"gradient_clipping {norm}"] = "`max_grad_norm` of the run clips gradients"
    if (threads := given.get("num_cpu_threads_per_process")) is not None:
        ignored[f"num_cpu_threads_per_process {threads}"] = "`cpu_threads` of the run says how many"
    for name, instead in ignored.items():
        logger.warning(f"`accelerate launch` asks for {name}, which has no effect: {instead}.")


def _launcher_arguments() -> Mapping[str, object]:
    """Read the arguments of the `accelerate launch` that is this process's parent; some leave no trace elsewhere."""
    if LAUNCHED not in os.environ:
        return {}
    import psutil
    from accelerate.commands.launch import launch_command_parser

    try:
        command = psutil.Process().parent().cmdline()
    except (psutil.Error, AttributeError):  # it has ended, or may not be looked at
        return {}
    starts = [number for number, part in enumerate(command) if part in ("launch", "accelerate.commands.launch")]
    starts += [number for number, part in enumerate(command) if os.path.basename(part) == "accelerate-launch"]
    if not any("accelerate" in part for part in command) or not starts:
        return {}
    try:
        return vars(launch_command_parser().parse_known_args(command[min(starts) + 1 :])[0])
    except SystemExit:  # as of another version of Accelerate
        return {}


def _on_cpu() -> bool:
    import torch

    return _is_true(os.environ.get("ACCELERATE_USE_CPU", "")) or not torch.accelerator.is_available()


def _is_true(value: str) -> bool:
    return value.lower() in ("1", "true", "yes", "on", "y", "t")


def check_launch(processes: int) -> None:
    """
    Compares the number of processes that work together with what was asked for.

    Raises:
        ValueError: if several were started, each of which takes itself for the only one.
    """
    started, address = int(os.environ.get("WORLD_SIZE", 0)), "MASTER_ADDR" in os.environ
    if processes == 1 and started > 1:
        raise ValueError(f"{started} processes were started, and each would work and write for itself. {ON_CPUS}")
    if processes == 1 and not started and address and LAUNCHED in os.environ:  # it has the address for several alone
        logger.warning(f"`accelerate launch` was asked for several processes and started one. {ON_CPUS}")
