"""Where the time of something goes, by kinds of operations."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

KINDS = {
    "products of tiles": ("bmm",),
    "other matrix products": ("mm", "addmm", "baddbmm"),
    "direct convolutions": ("mkldnn_convolution", "_slow_conv2d_forward"),
    "elementwise and copies": (
        *(
            "add",
            "add_",
            "sub",
            "mul",
            "mul_",
            "div_",
            "addcmul",
            "addcmul_",
            "copy_",
            "fill_",
            "cat",
            "flip",
            "leaky_relu",
        ),
        *("leaky_relu_", "tanh", "sigmoid", "gelu", "_softmax", "native_layer_norm", "exp", "constant_pad_nd"),
    ),
    "noise": ("normal_",),
}
"""Kinds of operations, and PyTorch's names for them. What is left is many operations of little time each."""


def operation_shares(run: Callable[[], object], rounds: int = 3) -> dict[str, float]:
    """A function that runs on one thread -> the shares of its time, by kind."""
    run()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(rounds):
            run()
    taken = {one.key.removeprefix("aten::"): one.self_cpu_time_total for one in seen.key_averages()}
    total = sum(taken.values())
    shares = {kind: sum(taken.get(name, 0) for name in names) / total for kind, names in KINDS.items()}
    return {**shares, "small operations": 1 - sum(shares.values())}


def print_shares(what: str, run: Callable[[], object]) -> None:
    """Prints them in a line, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    shares = operation_shares(run)
    torch.set_num_threads(threads)
    print(f"{what}: " + ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items()), flush=True)
