"""
Time whole processes that speak one sentence, interleaved: `hf-vits speak` in both runtimes, piper, and bare imports.

    python benchmarks/cold_start.py --rounds 7 --piper voice.onnx --piper-python other/bin/python

Prints wall and CPU seconds of each, medians and 90th percentiles, and the ratio of CPU medians to the first line. The
graphs of the voice are made before, as by an earlier call. piper must have the same voice, in its own format.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from hf_vits.cli.info import processor_name

TEXT = "Hello."


def commands(options: argparse.Namespace, folder: Path) -> dict[str, list[str]]:
    """Return the processes to time, by name."""
    speak = [sys.executable, "-m", "hf_vits.cli", "speak", options.text, "--voice", options.voice]
    timed = {
        runtime: [*speak, "--runtime", runtime, "--overwrite", "--output", str(folder / f"{runtime}.wav")]
        for runtime in ("onnx", "torch")
    }
    named = {f"hf-vits speak --runtime {runtime}": command for runtime, command in timed.items()}
    if options.piper:
        python = options.piper_python or sys.executable
        output = str(folder / "piper.wav")
        named["python -m piper"] = [python, "-m", "piper", "-m", options.piper, "-f", output, options.text]
    named["import torch, transformers"] = [sys.executable, "-c", "import torch, transformers"]
    return named


def seconds(command: list[str]) -> tuple[float, float]:
    """Run a process; return its wall seconds, and the user and system seconds of it and of its children."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spread(values: list[float]) -> dict[str, float]:
    """Return the median and the 90th percentile."""
    last = statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
    return {"median": round(statistics.median(values), 3), "90th percentile": round(last, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--text", default=TEXT)
    parser.add_argument("--voice", default="default")
    parser.add_argument("--piper", metavar="FILE", help="the voice as an .onnx file, for piper")
    parser.add_argument("--piper-python", metavar="FILE", help="the interpreter that has piper-tts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        named = commands(options, Path(folder))
        for command in named.values():
            seconds(command)  # files are in memory, and the graphs are made
        measured = {name: [] for name in named}
        for _ in range(options.rounds):
            for name, command in named.items():
                measured[name].append(seconds(command))
    table = {
        name: {"wall": spread([wall for wall, _ in pairs]), "cpu": spread([cpu for _, cpu in pairs])}
        for name, pairs in measured.items()
    }
    packages = ("torch", "transformers", "onnxruntime", "numpy")
    about = {"processor": processor_name(), "load": os.getloadavg(), "rounds": options.rounds, "text": options.text}
    print(json.dumps({**about, "versions": {name: version(name) for name in packages}, "seconds": table}, indent=1))
    first = next(iter(table.values()))["cpu"]["median"]
    for name, row in table.items():
        print(f"{name:32} wall {row['wall']['median']:6.2f} s  cpu {row['cpu']['median']:6.2f} s", end="")
        print(f"  first line / this one, cpu: {first / row['cpu']['median']:.2f}")


if __name__ == "__main__":
    main()
