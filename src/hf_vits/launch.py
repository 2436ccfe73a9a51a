"""What a run's environment says about how it was started."""

import logging
import os

logger = logging.getLogger(__name__)

LAUNCHED = "ACCELERATE_MIXED_PRECISION"
"""Environment variable that `accelerate launch` sets, whatever it launches."""

ON_CPUS = "Without GPUs, start N processes by `ACCELERATE_USE_CPU=1 torchrun --nproc_per_node N …`."


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
