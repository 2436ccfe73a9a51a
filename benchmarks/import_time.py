"""Seconds of `import hf_vits` against `import torch, transformers`: medians of fresh processes, in turn.

python benchmarks/import_time.py [--rounds 7]
"""

import argparse
import statistics
import subprocess
import sys
from importlib.metadata import version

STATEMENTS = ("import torch, transformers", "import hf_vits", "from hf_vits import VitsConfig")
CODE = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    seconds = {statement: [] for statement in STATEMENTS}
    for number in range(rounds + 1):  # the first one warms the disk cache
        for statement in STATEMENTS:
            command = [sys.executable, "-c", CODE.format(statement)]
            taken = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            if number:
                seconds[statement].append(taken)
    medians = {statement: statistics.median(values) for statement, values in seconds.items()}
    print(f"torch {version('torch')}, transformers {version('transformers')}, median of {rounds}")
    for statement, median in medians.items():
        print(f"{median:7.3f} s  {median / medians[STATEMENTS[0]]:5.2f}x  {statement}")


if __name__ == "__main__":
    main()
