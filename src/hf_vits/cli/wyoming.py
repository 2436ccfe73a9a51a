"""`hf-vits wyoming`: serve voices to Home Assistant by the Wyoming protocol."""

import argparse
import asyncio
import logging
import sys

from hf_vits.cli.parser import Parser
from hf_vits.cli.serve import pool_and_scheduler
from hf_vits.cli.speak import check_numbers
from hf_vits.utils.precision import add_dtype
from hf_vits.utils.threads import add_threads

HELP = "Serve voices to Home Assistant, by the Wyoming protocol."

RESUME = "interrupted"  # the server ends at a signal, and this is printed for one before it listens

URI = "tcp://127.0.0.1:10200"

LIMITS = ("max_characters", "max_connections", "idle_seconds", "grace")
REQUEST = ("speaker", "speed", "noise_scale", "noise_scale_duration", "pause", "seed")
"""Options of the server, and of every request."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    parser.usage = "%(prog)s [NAME=]VOICE [[NAME=]VOICE ...] [options]"
    add = parser.add_argument
    add(
        "voices",
        nargs="+",
        metavar="[NAME=]VOICE",
        help="folder, default, or name on the Hub; the first is the default",
    )
    add("--uri", default=URI, help=f"tcp://HOST:PORT, unix:///PATH or stdio:// (default: {URI})")
    add("--speaker", metavar="ID", help="speaker of the first voice, by number or name")
    add("--speed", type=float, default=1.0, metavar="X", help="0.1 to 10; 2 is twice as fast")
    parser.add_rare("--noise-scale", type=float, metavar="X", help="variation of the voice; default: the voice's own")
    parser.add_rare("--noise-scale-duration", type=float, metavar="X", help="variation of the rhythm")
    add("--pause", type=float, default=0.0, metavar="SECONDS", help="silence between sentences")
    add("--seed", type=int, metavar="N", help="makes the speech repeatable; a 64-bit integer")
    add("--max-characters", type=int, default=100_000, metavar="N", help="longest text of a request")
    add("--max-requests", type=int, default=64, metavar="N", help="texts that are spoken or wait at once")
    add("--max-memory", type=float, default=2.0, metavar="GB", help="for voices; the least recently used is dropped")
    parser.add_rare("--max-connections", type=int, default=256, metavar="N", help="at once; more are refused")
    parser.add_rare(
        "--idle-seconds", type=float, default=300.0, metavar="SECONDS", help="for a client to send or take an event"
    )
    parser.add_rare("--grace", type=float, default=30.0, metavar="SECONDS", help="for answers to end at a stop")
    add("--workers", type=int, metavar="N", help="texts that compute at the same time")
    add("--zeroconf", metavar="NAME", help="let Home Assistant find the server, by this name")
    add_threads(parser)
    add_dtype(parser)


def run(options: argparse.Namespace) -> None:
    """Serve until a signal."""
    from hf_vits.serving.wyoming.server import check_address

    check_numbers(options)
    check_address(options.uri, options.zeroconf)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from hf_vits.serving.wyoming import WyomingServer

    pool, scheduler = pool_and_scheduler(options, seconds)
    with scheduler:
        server = WyomingServer(pool, scheduler, **{name: getattr(options, name) for name in (*LIMITS, *REQUEST)})
        server.warm_up()
        asyncio.run(server.serve(options.uri, options.zeroconf, lambda: _tell(pool.names, options.uri)))


def seconds(chunk: dict) -> float:
    """Return what a chunk counts in the queue: its seconds of speech."""
    return len(chunk["audio"]) / chunk["sampling_rate"]


def _tell(names: list[str], uri: str) -> None:
    print(f"{', '.join(names)} at {uri}", file=sys.stderr, flush=True)
