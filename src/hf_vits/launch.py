"""What a run's environment says about how it was started, and which of the launcher's settings a run follows."""

import logging
import os
from collections.abc import Mapping

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
