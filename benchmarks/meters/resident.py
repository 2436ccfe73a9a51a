"""Memory of this process in MiB, as Linux counts it in /proc."""

import os
from pathlib import Path


def resident() -> float:
    """What the process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak() -> float:
    """The most that it ever held, or held since `forget_peak`."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**10
    raise SystemExit("/proc/self/status has no VmHWM; peak memory is read there, on Linux.")


def forget_peak() -> bool:
    """Begins anew with what is held now; False where the system does not let it, and `peak` goes on from the start."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True
