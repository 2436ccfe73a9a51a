"""Memory that `pipe.stream` takes above the loaded model, minute after minute of an hour of speech.

Beside it, each in a process of its own: `pipe(text)` of one and of two minutes, and a single call of the model on one
sentence as long, which is what there is without sentences and chunks. On Linux. Needs "hf_vits[phonemes,onnx]", and
matplotlib for the picture. Run:

    python benchmarks/memory.py [--minutes 60] [--threads 2] [--json FILE] [--picture FILE]
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from meters.installed import check_installed, print_versions
from meters.long_text import LARGEST_SENTENCE, one_sentence, paragraphs
from meters.resident import forget_peak, peak, resident
from meters.turns import write_json

PACKAGES = {
    "torch": "torch",
    "transformers": "transformers",
    "onnx": "onnx",
    "phonemizer": "phonemizer-fork",
    "espeakng_loader": "espeakng-loader",
}
"""What is imported, and what pip calls it."""

SHOWN = (1, 5, 15, 30, 60)
"""Minutes that the table shows."""

WHOLE = (1, 2)
"""Minutes that are spoken at once."""

CLAUSES = LARGEST_SENTENCE * (LARGEST_SENTENCE + 1) // 2
"""Of a paragraph, and so of a minute."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    parser.add_argument("--picture", metavar="FILE", help="draw the minutes")
    parser.add_argument("--worker", choices=WORK, help=argparse.SUPPRESS)
    options = parser.parse_args()
    check_installed(PACKAGES | ({"matplotlib": "matplotlib"} if options.picture else {}))
    if options.worker:
        work(options)
        return
    print_versions(PACKAGES, options.threads)
    print(f"{'what':<36} {'speech s':>9} {'peak MiB':>9} {'resident MiB':>13}  above the loaded model")
    whole = [measured for minutes in WHOLE for name in ("call", "model") for measured in run(name, minutes, options)]
    streamed = list(run("stream", options.minutes, options))
    write_json(options.json, {"threads": options.threads, "whole": whole, "streamed": streamed})
    if options.picture:
        draw(options.picture, whole, streamed)


def run(name: str, minutes: int, options) -> Iterator[dict]:
    """Measures in a process of its own; prints what the table shows."""
    command = [sys.executable, __file__, f"--worker={name}", f"--minutes={minutes}", f"--threads={options.threads}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            measured = json.loads(line)
            if name != "stream" or measured["minute"] in (*SHOWN, minutes):
                print(f"{measured['what']:<36} {measured['speech_s']:>9.0f}", end=" ")
                print(f"{measured['peak_mib']:>9.0f} {measured['resident_mib']:>13.0f}", flush=True)
            yield measured
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed; what it printed stands above.")


def work(options):
    """In the process: loads, speaks, and prints a line of JSON for each measurement."""
    import torch

    from hf_vits import TextToSpeechPipeline, VitsModel, VitsTokenizer, default_voice

    torch.set_num_threads(options.threads)
    folder = default_voice()
    pipe = TextToSpeechPipeline(VitsModel.from_pretrained(folder).eval(), VitsTokenizer.from_pretrained(folder))
    loaded = resident()
    anew = forget_peak()
    for what, minute, speech in WORK[options.worker](pipe, options.minutes):
        now = {"what": what, "minute": minute, "speech_s": speech}
        memory = {"peak_mib": peak() - loaded, "resident_mib": resident() - loaded, "peak_of_this_minute": anew}
        print(json.dumps({**now, **memory}), flush=True)
        forget_peak()


def stream(pipe, minutes: int) -> Iterator[tuple[str, int, float]]:
    """Speaks chunk by chunk -> what, minute and seconds of speech at the end of each minute."""
    speech, minute = 0.0, 1
    for chunk in pipe.stream(paragraphs(2 * minutes)):  # more than is needed: the voice may be in a hurry
        speech += len(chunk["audio"]) / chunk["sampling_rate"]
        if speech >= 60 * minute:
            yield f"pipe.stream(text), minute {minute}", minute, speech
            minute += 1
        if minute > minutes:
            return


def call(pipe, minutes: int) -> Iterator[tuple[str, int, float]]:
    spoken = pipe(paragraphs(minutes))
    yield f"pipe(text) of {minutes} min", minutes, len(spoken["audio"]) / spoken["sampling_rate"]


def model(pipe, minutes: int) -> Iterator[tuple[str, int, float]]:
    import torch

    with torch.no_grad():
        spoken = pipe.model(**pipe.tokenizer(one_sentence(CLAUSES * minutes), return_tensors="pt"))
    yield f"model(…), a sentence of {minutes} min", minutes, spoken.waveform.shape[1] / pipe.sampling_rate


WORK = {"stream": stream, "call": call, "model": model}
"""The commands of a process."""


def draw(path: str, whole: list[dict], streamed: list[dict]):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    minutes = [one["speech_s"] / 60 for one in streamed]
    axes.plot(minutes, [one["peak_mib"] for one in streamed], label="pipe.stream(text), peak of each minute")
    axes.plot(minutes, [one["resident_mib"] for one in streamed], label="pipe.stream(text), resident", linestyle="--")
    for name, marker in (("pipe", "o"), ("model", "x")):
        ones = [one for one in whole if one["what"].startswith(name)]
        places = [one["speech_s"] / 60 for one in ones], [one["peak_mib"] for one in ones]
        axes.plot(*places, marker, label=f"{name}(…), at once, peak")
    axes.set(xlabel="minutes of speech", ylabel="MiB above the loaded model", ylim=(0, None), xlim=(0, None))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(Path(path), dpi=120)
    print(f"drawn to {path}")


if __name__ == "__main__":
    main()
