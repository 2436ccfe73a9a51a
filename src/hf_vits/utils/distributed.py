"""Several processes: the launcher's settings, and work that ends in all processes if it fails in one."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hf_vits.utils.formatting import quoted
from hf_vits.utils.precision import multiplies_in_bf16

logger = logging.getLogger(__name__)

LAUNCHED = "ACCELERATE_MIXED_PRECISION"
"""Environment variable that `accelerate launch` always sets."""

SHARDING = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism configuration",
}
"""Environment variables by which `accelerate launch` asks for a sharded model, and the name of each method."""

PRECISIONS = ("no", "bf16", "fp16")
"""Precisions that training supports."""

AUTO = "auto"
"""Precision of a run that is bf16 where the processor or GPU multiplies in it, and no elsewhere."""

ON_CPUS = "Without GPUs, start N processes by `ACCELERATE_USE_CPU=1 torchrun --nproc_per_node N …`."

LOST = re.compile(
    r"gloo|nccl|\bmpi\b|timed? ?out|connection (was )?(closed|reset|refused|aborted)|broken pipe|process ?group",
    re.IGNORECASE,
)
"""Texts of PyTorch's errors about another process that does not answer."""


class ProcessFailed(RuntimeError):
    """Report in this process an error of another one."""


def run_on_all_processes(work: Callable, *arguments) -> list:
    """
    Call `work(*arguments)` in each process and return all results, by rank; every process of the run must call this.

    Raises:
        Exception: the error of `work` in this process.
        ProcessFailed: if `work` failed in another process; gives its error.
    """
    from accelerate.utils import gather_object

    result, error, message = None, None, None
    try:
        result = work(*arguments)
    except Exception as raised:
        error, message = raised, f"{type(raised).__name__}: {raised}"
    outcomes = gather_object([(result, message)])
    if error is not None:
        raise error
    for process, (_, message) in enumerate(outcomes):
        if message is not None:
            raise ProcessFailed(f"Process {process} failed, so all processes end. {message}")
    return [result for result, _ in outcomes]


def check_agreement(facts: Mapping[str, Any], advice: str) -> None:
    """
    Compare facts of this process with those of all others; every process of the run must call it.

    Args:
        facts (`Mapping[str, Any]`):
            Values by name.
        advice (`str`):
            What to do, in a sentence.

    Raises:
        ValueError: in every process, if a value differs; gives the values.
    """
    tables = run_on_all_processes(lambda: dict(facts))
    names = dict.fromkeys(name for table in tables for name in table)
    differing = [name for name in names if any(table.get(name) != tables[0].get(name) for table in tables)]
    if differing:
        values = "; ".join(
            f"{name} is "
            + ", ".join(f"{quoted(table.get(name))} in process {number}" for number, table in enumerate(tables[:4]))
            for name in differing[:5]
        )
        more = f"; and {len(differing) - 5} more" if len(differing) > 5 else ""
        raise ValueError(f"The processes of this run do not agree: {values}{more}. {advice}")


@contextmanager
def lost_processes_named(process: int, processes: int, seconds: float, advice: str) -> Iterator[None]:
    """
    Replace PyTorch's errors about a process that does not answer by one that says what to do.

    Args:
        process, processes (`int`):
            Rank of this process, and the number of processes.
        seconds (`float`):
            How long a process waits for another.
        advice (`str`):
            What to do, in a sentence.

    Raises:
        ConnectionError: if another process has ended or does not answer.
    """
    try:
        yield
    except RuntimeError as error:
        if processes == 1 or not _is_communication_error(error):
            raise
        raise ConnectionError(
            f"Process {process} of {processes} got no answer from another process: it has ended, or did not answer "
            f"within {seconds:g} s. Its last output says why. {advice}"
        ) from error


def _is_communication_error(error: RuntimeError) -> bool:
    import torch

    return isinstance(error, getattr(torch.distributed, "DistError", ())) or bool(LOST.search(str(error)))


def refuse_sharding() -> None:
    """Raise `ValueError` if the launcher asks for a sharded model: here each process holds the whole model."""
    asked = [name for variable, name in SHARDING.items() if _is_true(os.environ.get(variable, ""))]
    if asked:
        raise ValueError(
            f"`accelerate launch` asks for {' and '.join(asked)}, which is not supported: nothing would be sharded. "
            "Run `accelerate config` again without it, or `accelerate launch` without its options; several processes "
            "share each step without it."
        )


def check_launch(processes: int) -> None:
    """
    Compare the number of processes that work together with the number that was started.

    Raises:
        ValueError: if several were started that do not know of each other.
    """
    started, address = int(os.environ.get("WORLD_SIZE", 0)), "MASTER_ADDR" in os.environ
    if processes == 1 and started > 1:
        raise ValueError(f"{started} processes were started, and each would do all the work. {ON_CPUS}")
    if processes == 1 and not started and address and LAUNCHED in os.environ:  # set for several only
        logger.warning(f"`accelerate launch` was asked for several processes and started one. {ON_CPUS}")


def launched_precision(own: str | None) -> str:
    """
    Return the precision of a run: its own, or the launcher's if it has none.

    Args:
        own (`str`, *optional*):
            `mixed_precision` of the run's settings.

    Returns:
        `str`: "no", "bf16" or "fp16"; what "auto" stands for here.

    Raises:
        ValueError: for a precision that training does not support, and for fp16 on a CPU.
    """
    launchers = os.environ.get(LAUNCHED, "no").lower()
    precision = launchers if own is None else own
    if own == AUTO:
        precision = "bf16" if multiplies_in_bf16(_on_cpu()) else "no"
    if precision not in PRECISIONS:
        raise ValueError(
            f"`accelerate launch` asks for the precision {precision}; training supports {', '.join(PRECISIONS)}. "
            "Give one of these to the launcher, or as `mixed_precision`."
        )
    if precision == "fp16" and _on_cpu():
        asks = "`mixed_precision` is" if own else "`accelerate launch` asks for"
        raise ValueError(f"{asks} fp16, which does not work on a CPU; set `mixed_precision` to bf16 or no.")
    return precision


def warn_of_ignored(own_precision: str | None = None, accumulation: int | None = None) -> None:
    """
    Warn of settings of the launcher that have no effect, because the run has its own or because they do not apply.

    Args:
        own_precision (`str`, *optional*):
            `mixed_precision` of the run's settings.
        accumulation (`int`, *optional*):
            `gradient_accumulation_steps` of the run's settings; `None` for work without gradients.
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
        ignored[f"num_cpu_threads_per_process {threads}"] = "`cpu_threads` of the run sets the number"
    for name, instead in ignored.items():
        logger.warning(f"`accelerate launch` asks for {name}, which has no effect: {instead}.")


def _launcher_arguments() -> Mapping[str, object]:
    """Read the arguments of the `accelerate launch` that is this process's parent; some of them set no variable."""
    if LAUNCHED not in os.environ:
        return {}
    import psutil
    from accelerate.commands.launch import launch_command_parser

    try:
        command = psutil.Process().parent().cmdline()
    except (psutil.Error, AttributeError):  # it has ended, or is not readable
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
