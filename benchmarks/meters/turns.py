"""Times of functions that take turns, so that what the machine does besides falls on all of them alike."""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

REST = 0.1
"""Seconds before each turn, in which the threads of the one before, which wait for more work awake, fall asleep."""


def turns(
    functions: Mapping[str, Callable[[], object]], rounds: int, warm_up: bool = True
) -> Iterator[tuple[str, float, object]]:
    """Functions by name -> name, seconds and result of each turn, after a round that does not count."""
    for number in range(-warm_up, rounds):
        for name, function in functions.items():
            time.sleep(REST)
            start = time.perf_counter()
            result = function()
            taken = time.perf_counter() - start
            if number >= 0:
                yield name, taken, result


def seconds(functions: Mapping[str, Callable[[], object]], rounds: int, warm_up: bool = True) -> dict[str, float]:
    """Functions by name -> the median time of each over `rounds` rounds, after one that does not count."""
    return {name: median for name, (median, _) in spreads(functions, rounds, warm_up).items()}


def spreads(
    functions: Mapping[str, Callable[[], object]], rounds: int, warm_up: bool = True
) -> dict[str, tuple[float, float]]:
    """Functions by name -> median and 90th percentile of each over `rounds` rounds, after one that does not count."""
    taken = {name: [] for name in functions}
    for name, time_of_turn, _ in turns(functions, rounds, warm_up):
        taken[name].append(time_of_turn)
    return {name: (statistics.median(values), percentile_90(values)) for name, values in taken.items()}


def percentile_90(values: list[float]) -> float:
    """The 90th percentile, between the two values beside it."""
    return statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]


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
