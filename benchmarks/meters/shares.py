"""Where the time of something goes, by kinds of operations."""

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile

ELEMENTWISE = (
    "add add_ sub mul mul_ div_ addcmul addcmul_ copy_ fill_ cat flip exp leaky_relu leaky_relu_ tanh sigmoid gelu "
    "_softmax native_layer_norm constant_pad_nd"
)

KINDS = {
    "products of tiles": "bmm",
    "other matrix products": "mm addmm baddbmm",
    "direct convolutions": "mkldnn_convolution _slow_conv2d_forward",
    "elementwise and copies": ELEMENTWISE,
    "noise": "normal_",
}
"""Kinds of operations, and PyTorch's names for them. What is left is many operations of little time each."""


def print_shares(what: str, run: Callable[[], object]) -> None:
    """Runs it on one thread, and prints the shares of its time by kind in a line."""
    run()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(3):
            run()
    taken = {one.key.removeprefix("aten::"): one.self_cpu_time_total for one in seen.key_averages()}
    total = sum(taken.values())
    shares = {kind: sum(taken.get(name, 0) for name in names.split()) / total for kind, names in KINDS.items()}
    shares["small operations"] = 1 - sum(shares.values())
    print(f"{what}: " + ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items()), flush=True)
