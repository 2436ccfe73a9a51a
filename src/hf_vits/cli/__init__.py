"""`hf-vits <verb>`: what one does with a voice, from the command line. One verb a file."""

import argparse
import io
import os
import sys
from importlib import import_module

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch loads OpenMP: spinning threads slow a busy machine

from huggingface_hub.errors import StrictDataclassError

import hf_vits

VERBS = ("speak", "convert", "export", "doctor")


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb; returns 0, its own code, or 1 after printing what went wrong. Wrong usage exits with 2."""
    parser = argparse.ArgumentParser(prog="hf-vits", description="VITS voices: speak, convert, export, examine.")
    parser.add_argument("--version", action="version", version=f"hf_vits {hf_vits.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    first = next(iter(sys.argv[1:] if arguments is None else arguments), None)
    for name in VERBS:
        module = import_module(f"hf_vits.cli.{name}")
        verb = verbs.add_parser(name, help=module.HELP, description=module.HELP)
        verb.set_defaults(run=module.run)
        if name == first:  # what the options of another verb import takes seconds
            module.add_arguments(verb)
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may be of any script, terminals know some
    try:
        return options.run(options) or 0
    except KeyboardInterrupt:
        print("hf-vits: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError, StrictDataclassError) as error:
        print(f"hf-vits {options.verb}: {error}", file=sys.stderr)
        return 1
