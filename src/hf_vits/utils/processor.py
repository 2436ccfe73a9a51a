"""Describe the processor, as measured times and bug reports must: its name, its caches, its units for bfloat16."""

import platform
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
"""Where Linux describes the processor; `platform.processor` names only the architecture there."""


def model_name() -> str:
    """Return the name of the processor, or of its architecture where the system names none."""
    text = CPUINFO.read_text(encoding="utf-8", errors="replace") if CPUINFO.is_file() else ""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return model[1] if model else platform.processor() or platform.machine()


def cache_sizes() -> list[str]:
    """Return level and size of the data caches of a core, such as `L2 1024K`; none where the system lists none."""
    caches = []
    for folder in sorted(CACHES.glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        caches += [] if kind == "Instruction" else [f"L{level} {size}"]
    return caches


def bf16_units() -> list[str]:
    """Return the names of the units that multiply bfloat16; none where PyTorch cannot say."""
    import torch

    units = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return [name for name in ("avx512_bf16", "amx_bf16", "bf16") if units.get(name)]
