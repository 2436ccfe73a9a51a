"""Many clients of `hf-vits serve` at once: errors, mixed answers, memory and fairness.

Each client asks again and again for one of 24 texts of 1 to `--words` words, each with a seed of its own, as PCM; one
answer in ten is left after its first bytes. Clients begin in the first tenth of the time. Afterwards the samples of
every complete answer are compared with those that a pool in this process makes alone. Waits are from a request to its
first byte; their ratio says how fair the queue is, and their length depends on the machine.
Needs "hf_vits[demo,serve,train]". Run:

    python benchmarks/server_load.py [--clients 32] [--seconds 300] [--words 120] [--threads 1]
                                    [--processes N] [--json FILE]
"""

import argparse
import hashlib
import http.client
import json
import random
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from meters.http_server import started
from meters.installed import check_installed, print_versions
from meters.turns import write_json

PACKAGES = {name: name for name in ("torch", "fastapi", "uvicorn", "psutil")}
SENTENCE = "seven ships sailed slowly south while nine tired sailors sang old songs about home, rain, bread and the sea"
LEFT = 0.1
"""Share of answers that their client leaves."""


def text_of(number: int, most: int) -> str:
    """Text `number` of 24: of one word to the most, in sentences of 3 to 12."""
    words = random.Random(number).choices(SENTENCE.replace(",", "").split(), k=round(most ** (number / 23)))
    for place in range(0, len(words), 3 + number % 10):
        words[place] = words[place].capitalize()
        if place:
            words[place - 1] += "."
    return " ".join(words) + "."


@dataclass
class Results:
    """What all clients met."""

    waits: list[float] = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    digests: dict[int, Counter] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def ask(port: int, number: int, most: int, leave: bool, results: Results) -> None:
    """Asks for one text; keeps the wait and a digest of the samples."""
    fields = {"model": "tts-1", "voice": "alloy", "response_format": "pcm"}
    body = json.dumps({**fields, "input": text_of(number, most), "seed": number})
    connection, start = http.client.HTTPConnection("127.0.0.1", port, timeout=600), time.monotonic()
    try:
        connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        results.statuses[answer.status] += 1
        if answer.status != 200:
            answer.read()
            time.sleep(float(answer.headers.get("Retry-After", 1)))
            return
        first = answer.read(2)
        results.waits.append(time.monotonic() - start)
        if not leave:
            digest = hashlib.sha256(first + answer.read()).hexdigest()
            results.digests.setdefault(number, Counter())[digest] += 1
    except (OSError, http.client.HTTPException) as error:
        results.errors.append(repr(error))
    finally:
        connection.close()


def client(port: int, seed: int, most: int, end: float, results: Results) -> None:
    """Asks until the time is over."""
    chance = random.Random(seed)
    while time.monotonic() < end:
        ask(port, chance.randrange(24), most, chance.random() < LEFT, results)


def load(port: int, pid: int, options: argparse.Namespace) -> Results:
    """Runs all clients for the time, and notes the memory of the server each second."""
    import psutil

    results, server, end = Results(), psutil.Process(pid), time.monotonic() + options.seconds
    threads = [
        threading.Thread(target=client, args=(port, seed, options.words, end, results))
        for seed in range(options.clients)
    ]
    for thread in threads:
        thread.start()
        time.sleep(options.seconds / 10 / options.clients)
    while any(thread.is_alive() for thread in threads):
        results.memory.append(sum(one.memory_info().rss for one in (server, *server.children(recursive=True))))
        time.sleep(1)
    return results


def wrong_answers(options: argparse.Namespace, results: Results) -> int:
    """Returns the number of answers whose samples are not those that one pool makes alone."""
    import torch

    from hf_vits.serving import SpeechRequest, VoicePool
    from hf_vits.serving.encoders.base import to_int16

    torch.set_num_threads(options.threads)
    pool, wrong = VoicePool({"voice": options.voice}), 0
    for number, digests in sorted(results.digests.items()):
        right = hashlib.sha256()
        for chunk in pool.speak(SpeechRequest(text_of(number, options.words), "voice", seed=number)):
            right.update(to_int16(chunk["audio"]).tobytes())
        wrong += sum(count for digest, count in digests.items() if digest != right.hexdigest())
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", default="default")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--words", type=int, default=120, help="of the longest text")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, help="of the server, in place of its threads")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    check_installed(PACKAGES)
    print_versions(PACKAGES, options.threads)
    limits = ["--threads", str(options.threads), "--max-requests", str(options.clients - 2)]
    limits += ["--processes", str(options.processes)] if options.processes else []
    server, port = started(options.voice, *limits)
    try:
        results = load(port, server.pid, options)
    finally:
        server.terminate()
    status = server.wait(60)
    part = len(results.memory) // 3
    figures = {
        "answers": dict(results.statuses),
        "errors": results.errors,
        "complete": sum(digests.total() for digests in results.digests.values()),
        "wrong": wrong_answers(options, results),
        "longest wait / median": max(results.waits) / statistics.median(results.waits),
        "memory, last third / second third": max(results.memory[-part:]) / max(results.memory[part : 2 * part]),
        "exit status of the server": status,
    }
    for name, value in figures.items():
        print(f"{name}: {value:.2f}" if isinstance(value, float) else f"{name}: {value}")
    write_json(options.json, figures)


if __name__ == "__main__":
    main()
