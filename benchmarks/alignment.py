"""The alignment search and the expansion of the prior, against monotonic-alignment-search and matrix products.

Needs monotonic-alignment-search==0.2.1 beside hf_vits[train]. Run:

    python benchmarks/alignment.py [--rounds 20] [--threads 2]
"""

import argparse
import statistics
import time
from importlib.metadata import version

import numba
import torch
from monotonic_alignment_search import maximum_path

from hf_vits.modules.alignment import monotonic_alignment_search
from hf_vits.modules.masks import expand

SHAPES = ((16, 100, 300), (32, 200, 600), (64, 200, 600), (32, 400, 1600))
CHANNELS = 192


def case(batch, tokens, frames):
    """Random scores and priors of ragged items; frames never fewer than tokens."""
    noise = torch.Generator().manual_seed(0)
    text_lengths = torch.randint(tokens // 2, tokens + 1, (batch,), generator=noise)
    frame_lengths = torch.randint(frames // 2, frames + 1, (batch,), generator=noise).maximum(text_lengths)
    scores = torch.randn(batch, frames, tokens, generator=noise)
    mean, log_std = torch.randn(2, batch, CHANNELS, tokens, generator=noise)
    return scores, text_lengths, frame_lengths, mean, log_std


def peers_view(scores, text_lengths, frame_lengths):
    """Scores and mask as the package takes them, text by frames."""
    rows = torch.arange(scores.shape[2])[None, :, None] < text_lengths[:, None, None]
    columns = torch.arange(scores.shape[1])[None, None] < frame_lengths[:, None, None]
    return scores.transpose(1, 2).contiguous(), (rows & columns).float()


def measure(rounds, shape):
    scores, text_lengths, frame_lengths, mean, log_std = case(*shape)

    dense, mask = peers_view(scores, text_lengths, frame_lengths)

    def package():
        return maximum_path(dense, mask)

    def package_and_products():
        path = maximum_path(dense, mask).float()
        return mean @ path, log_std @ path

    def ours():
        return monotonic_alignment_search(scores, text_lengths, frame_lengths)

    def ours_and_gathers():
        index = monotonic_alignment_search(scores, text_lengths, frame_lengths)
        return expand(mean, index), expand(log_std, index)

    for item, (path, index) in enumerate(zip(package(), ours(), strict=True)):
        real = slice(frame_lengths[item])
        assert torch.equal(path[:, real].argmax(dim=0), index[real]), "the paths differ"
    functions = (package, ours, package_and_products, ours_and_gathers)
    seconds = {function.__name__: [] for function in functions}
    for _ in range(rounds):
        for function in functions:
            start = time.perf_counter()
            function()
            seconds[function.__name__].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(values) for name, values in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    numba.set_num_threads(min(options.threads, numba.config.NUMBA_NUM_THREADS))
    packages = ("torch", "numba", "monotonic-alignment-search")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"{options.threads} threads, medians in ms")
    print("batch x tokens x frames   package    ours   ratio   with products   with gathers   ratio")
    for shape in SHAPES:
        ms = measure(options.rounds, shape)
        a, b, c, d = (ms[name] for name in ("package", "ours", "package_and_products", "ours_and_gathers"))
        name = " x ".join(map(str, shape))
        print(f"{name:23} {a:9.2f} {b:7.2f} {a / b:6.1f}x {c:15.2f} {d:14.2f} {c / d:6.1f}x", flush=True)


if __name__ == "__main__":
    main()
