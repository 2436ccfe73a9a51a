"""`hf-vits serve`: answer requests for speech over HTTP, as OpenAI's API does."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from hf_vits.cli.parser import Parser
from hf_vits.utils.precision import add_dtype, usable_dtype
from hf_vits.utils.threads import add_threads, cores, use_threads

HELP = "Serve voices over HTTP, with the interface of OpenAI's speech API."

API_KEY = "HF_VITS_API_KEY"
"""Environment variable of the secret, which a command line would show to other users of the machine."""

RARE_LIMITS = {
    "max_body_bytes": (int, "N", "of a request"),
    "max_header_bytes": (int, "N", "of a request"),
    "max_whole_bytes": (int, "N", "of whole files that are made, together"),
    "header_seconds": (float, "SECONDS", "for a client to send headers"),
    "body_seconds": (float, "SECONDS", "for a client to send the body"),
    "stall_seconds": (float, "SECONDS", "for a client to take the next part"),
    "request_seconds": (float, "SECONDS", "for a whole answer"),
}
"""Fields of [`ServerSettings`] that keep their defaults unless an option gives another value."""

PACKAGES = ("fastapi", "uvicorn", "prometheus_client", "soxr")
THREADS = 4
"""Threads of a request by default, at most: the layers of a voice are too small for more."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    parser.usage = "%(prog)s [NAME=]VOICE [[NAME=]VOICE ...] [options]"
    parser.epilog = f"The environment variable {API_KEY} holds the key, if one is needed."
    add = parser.add_argument
    add("voices", nargs="+", metavar="VOICE", help="folder, default, or name on the Hub")
    add("--alias", action="append", default=[], metavar="NAME=VOICE", help="as alloy=joe")
    add("--host", default="127.0.0.1", help="0.0.0.0 for all addresses")
    add("--port", type=int, default=8000, help="0 for a free one")
    add("--max-requests", type=int, default=64, metavar="N", help="at once; more get status 429")
    add("--max-characters", type=int, default=20_000, metavar="N", help="of a text")
    add("--max-memory", type=float, default=2.0, metavar="GB", help="for voices that are kept")
    add("--sample-rate", type=int, metavar="HZ", help="default: that of the voice")
    parser.add_rare("--cors-origin", action="append", default=[], metavar="URL", help="page that may use it; * for all")
    add("--allow-host", action="append", default=[], metavar="NAME", help="of a proxy, as voice.example; * for any")
    add("--workers", type=int, metavar="N", help="requests that compute at a time")
    add("--processes", type=int, metavar="N", help="in place of workers; each takes memory")
    add_threads(parser)
    add_dtype(parser)
    for name, (kind, unit, text) in RARE_LIMITS.items():
        parser.add_rare(f"--{name.replace('_', '-')}", type=kind, metavar=unit, help=text)
    parser.add_rare("--grace", type=float, default=30.0, metavar="SECONDS", help="for answers to end at a stop")
    add("--verbose", action="store_true", help="log every request, without its text")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal; return the exit status."""
    require_serve_extra()
    from hf_vits.serving.server import listening_socket, make_server
    from hf_vits.serving.settings import ServerSettings

    limits = {name: getattr(options, name) for name in RARE_LIMITS if getattr(options, name) is not None}
    settings = ServerSettings(
        **limits,
        max_characters=options.max_characters,
        sample_rate=options.sample_rate,
        api_key=os.environ.get(API_KEY) or None,
        cors_origins=tuple(options.cors_origin),
    )
    listener = listening_socket(options.host, options.port)  # before voices are loaded, which takes longer
    settings = replace(settings, hosts=allowed_hosts(options.allow_host, listener.getsockname()[0]))
    try:
        app = _application(options, settings)
        host, port = listener.getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        if is_open(settings.api_key, host):
            warning = f"The server needs no key: whoever reaches {host} can use it. Set {API_KEY} to ask for one."
            print(warning, file=sys.stderr)
        print(
            f"{', '.join(app.state.pool.names)} at {url}/v1 (base_url of OpenAI's client)", file=sys.stderr, flush=True
        )
        level = "info" if options.verbose else "warning"
        make_server(app, settings, options.grace, level).run(sockets=[listener])
    except KeyboardInterrupt:  # raised again by uvicorn after it has stopped
        print("The server has stopped.", file=sys.stderr)
    finally:
        listener.close()
    return 0


def require_serve_extra() -> None:
    """Raise `ImportError` if a package is missing that the server needs."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ImportError(f'The package {missing[0]} is not installed. Run `pip install "hf_vits[serve]"`.')


def allowed_hosts(names: Sequence[str], address: str) -> tuple[str, ...] | None:
    """Return the names of `--allow-host`, `None` for any: that is the default if the server listens at an IP address
    that other machines can reach, whose names are not known. A port, as in a `Host` header, is left out."""
    from hf_vits.serving.guard import host_name

    for name in names:
        if "/" in name or not host_name(name):
            raise ValueError(f"--allow-host is {name!r}; give the name alone, as voice.example, or * for any.")
    if "*" in names or (not names and not ip_address(address).is_loopback):
        return None
    return tuple(host_name(name.lower()) for name in names)


def is_open(api_key: str | None, address: str) -> bool:
    """Return True if other machines can use a server at an IP address without a key."""
    return api_key is None and not ip_address(address).is_loopback


def named_voices(words: list[str]) -> dict[str, str]:
    """
    Return what `from_pretrained` takes, by name, for voices of a command line: `VOICE` or `NAME=VOICE`.

    A file or folder with `=` in its path is a voice without a name.

    Raises:
        ValueError: if two voices have one name.
        OSError: as `resolve_voice` does.
    """
    from hf_vits.conversion.resolve import resolve_voice, short_name

    voices: dict[str, str] = {}
    for word in words:
        name, mark, voice = word.partition("=")
        if not mark or Path(word).exists():
            name, voice = short_name(word), word
        if name in voices:
            raise ValueError(f"Two voices have the name {name!r}; give one another, as NAME={voice}.")
        voices[name] = resolve_voice(voice)
    return voices


def named_aliases(words: list[str], voices: dict[str, str]) -> dict[str, str]:
    """Return names of voices by their aliases; raise `ValueError` for a word that is not `NAME=VOICE`."""
    aliases = {}
    for word in words:
        alias, mark, name = word.partition("=")
        if not mark or name not in voices:
            raise ValueError(f"--alias is {word!r}; give NAME=VOICE with one of {', '.join(voices)}.")
        aliases[alias] = name
    return aliases


def pool_and_scheduler(options: argparse.Namespace, cost: Callable[[Any], float], aliases: Sequence[str] = ()):
    """Return the [`VoicePool`] and the [`Scheduler`] of a server, by the options that all servers have."""
    from hf_vits.serving import Scheduler, VoicePool
    from hf_vits.serving.processes import SpeakingProcess

    number, max_bytes = getattr(options, "processes", None), round(options.max_memory * 1e9)
    if number is not None and (number < 1 or options.workers):
        raise ValueError(f"--processes is {number}; give 1 or more, without --workers.")
    voices = named_voices(options.voices)
    aliases = named_aliases(aliases, voices)
    if number is not None:
        threads = options.threads or max(1, cores() // number)
        make = partial(_pool, voices, aliases, max_bytes // number, options.dtype, threads, threads)
        processes = [SpeakingProcess(make) for _ in range(number)]
        scheduler = Scheduler(max_jobs=options.max_requests, cost=cost, processes=processes)
        return VoicePool(voices, aliases, processes=processes), scheduler
    threads = options.threads or min(cores(), THREADS)
    workers = options.workers or max(2, cores() // threads)  # a second one computes while the other prepares
    pool = _pool(voices, aliases, max_bytes, options.dtype, options.threads, threads)
    return pool, Scheduler(workers, options.max_requests, cost=cost)


def _pool(voices: dict, aliases: dict, max_bytes: int, dtype: str, threads: int | None, most: int):
    """Return the pool of a process that speaks, and set its threads."""
    from transformers.utils import logging

    from hf_vits.serving.voice_pool import VoicePool, load_pipeline

    logging.disable_progress_bar()  # a model loads in a fraction of a second
    use_threads(threads, most)
    return VoicePool(voices, aliases, max_bytes, partial(load_pipeline, dtype=usable_dtype(dtype)))


def _application(options: argparse.Namespace, settings):
    from hf_vits.serving.app import create_app, seconds_of

    pool, scheduler = pool_and_scheduler(options, seconds_of, options.alias)
    try:
        pool.warm_up(scheduler)
        return create_app(pool, scheduler, settings)
    except BaseException:
        scheduler.close()
        raise
