"""`hf-vits <verb>`: what one does with a voice, from the command line. One verb a file."""

import argparse
import errno
import io
import os
import sys
from importlib import import_module

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch loads OpenMP: spinning threads slow a busy machine

from huggingface_hub.errors import StrictDataclassError

import hf_vits
from hf_vits.cli.parser import Parser, parse
from hf_vits.cli.signals import Stopped, ending_signals
from hf_vits.utils.new_files import FULL

VERBS = ("speak", "convert", "export", "doctor")


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb, or prints the help without one; returns 0, its own status, 1 after printing what went wrong, or
    128 and the number of a signal. Wrong usage exits with 2."""
    parser = Parser(prog="hf-vits", description="VITS voices: speak, convert, export, examine.")
    parser.add_argument("--version", action="version", version=f"hf_vits {hf_vits.__version__}")
    verbs, chosen = parser.add_subparsers(dest="verb", metavar="verb"), None
    arguments = sys.argv[1:] if arguments is None else arguments
    for name in VERBS:
        module = import_module(f"hf_vits.cli.{name}")
        verb = verbs.add_parser(name, help=module.HELP, description=module.HELP)
        verb.set_defaults(run=module.run)
        if name == next(iter(arguments), None):  # what the options of another verb import takes seconds
            module.add_arguments(verb)
            chosen = verb
    options = parse(parser, arguments, chosen)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may be of any script, terminals know some
    with ending_signals():
        return _run(options) if options.verb else parser.print_help() or 0


def _run(options: argparse.Namespace) -> int:
    try:
        status = options.run(options) or 0
        _flush()
        return status
    except Stopped as signal:
        print(f"hf-vits {options.verb}: stopped by {signal}", file=sys.stderr)
        return 128 + signal.number
    except KeyboardInterrupt:
        print(f"hf-vits {options.verb}: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError, StrictDataclassError) as error:
        print(f"hf-vits {options.verb}: {_named(error)}", file=sys.stderr)
        return 1


def _flush() -> None:
    """Writes what is printed, unless nobody reads it any more."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()


def _named(error: Exception) -> str:
    """What an error says. One of a full disk without a file is of standard output: all other files are named."""
    of_disk = isinstance(error, OSError) and error.errno in FULL | {errno.EIO, errno.EBADF}
    if not of_disk or error.strerror is None or error.filename is not None:
        return str(error)
    _discard_output()
    return f"Standard output could not be written to: {error.strerror}."


def _discard_output() -> None:
    """Keeps Python from complaining once more when it flushes at its end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
