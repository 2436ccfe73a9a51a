"""Time of `tokenizer(text)` against transformers' own tokenizer, on a text of 1,000 characters and an MMS vocabulary.

Usage: python benchmarks/tokenization.py [--rounds 25]
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch
import transformers

import hf_vits
from hf_vits.tokenization_vits import VitsTokenizer

VOCABULARY = {symbol: i for i, symbol in enumerate("k'zjyuxwvts_rqponmlihgfedcba- –12456")}
TEXT = ("the quick brown fox jumps over the lazy dog's back - Then it Sleeps again " * 20)[:1000]
CALLS = 10  # of one tokenizer in one round


def milliseconds(call) -> float:
    """Mean time of one call, ms."""
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS * 1e3


def main() -> None:
    """Runs the rounds, the tokenizers taking turns, and prints medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    options = {"pad_token": "k", "phonemize": False, "language": "eng"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.json"
        path.write_text(json.dumps(VOCABULARY, ensure_ascii=False), encoding="utf-8")
        ours, stock = VitsTokenizer(str(path), **options), transformers.VitsTokenizer(str(path), **options)
    calls = {
        "transformers": lambda: stock(TEXT),
        "hf_vits": lambda: ours(TEXT),
        "hf_vits with offsets": lambda: ours(TEXT, return_offsets_mapping=True),
    }
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(milliseconds(call))
    report({name: statistics.median(values) for name, values in times.items()}, rounds)


def report(medians: dict[str, float], rounds: int) -> None:
    """Prints what ran where, and the ratios."""
    print(
        f"hf_vits {hf_vits.__version__}, transformers {transformers.__version__}, python {platform.python_version()}, "
        f"{torch.get_num_threads()} torch threads (one used), {platform.machine()}"
    )
    print(f"{len(TEXT)} characters, median of {rounds} interleaved rounds of {CALLS} calls")
    for name, value in medians.items():
        print(f"{name:22} {value:7.3f} ms   {medians['transformers'] / value:5.1f}x")


if __name__ == "__main__":
    main()
