"""Times of functions that take turns, so that what the machine does besides falls on all of them alike."""

import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path


def seconds(functions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Functions by name -> the median time of each over `rounds` rounds, after one that does not count."""
    taken = {name: [] for name in functions}
    for number in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if number:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def peak_gflops(size: int = 2048, rounds: int = 5) -> float:
    """The best rate of a float32 matrix product, which a convolution can hardly beat."""
    import torch

    matrix, best = torch.randn(size, size), float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - start)
    return 2e-9 * size**3 / best


def write_json(path: str | None, results: object):
    """Writes results beside the file first, so that an older one is never half overwritten."""
    if path is None:
        return
    target = Path(path)
    beside = target.with_name(target.name + ".part")
    beside.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    beside.replace(target)
    print(f"written to {target}")
