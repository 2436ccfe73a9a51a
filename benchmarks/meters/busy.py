"""Other programs that keep cores busy while something is measured, as on a machine that people use."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

WORK = "import numpy as np; a = np.ones(2**22)\nwhile True: a *= 1.0; sum(range(10**5))"
"""Half of the time in the processor alone, half in memory that no cache holds (32 MiB)."""


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes of one thread each compute until the end of the block."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    others = [subprocess.Popen([sys.executable, "-c", WORK], env=environment) for _ in range(processes)]
    try:
        time.sleep(1.0 if processes else 0.0)  # until they compute
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def machine() -> str:
    """The processor, its cores and caches, and the load of the last minute, which figures must be read beside."""
    from hf_vits.utils.processor import cache_sizes, model_name

    caches = ", ".join(cache_sizes())
    return f"{model_name()}, {os.cpu_count()} cores, {caches}, load {os.getloadavg()[0]:.1f}"
