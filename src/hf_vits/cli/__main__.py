"""The entry point of `hf-vits`, `python -m hf_vits.cli` and `accelerate launch -m hf_vits.cli`."""

import argparse
import importlib.metadata
import io
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from types import ModuleType

import hf_vits
from hf_vits.cli import VERBS
from hf_vits.cli.errors import flush_output, message_of
from hf_vits.cli.parser import Parser, UsageError, parse
from hf_vits.cli.signals import Stopped, ending_signals

EXTENSIONS = "hf_vits.extensions"
"""Group of entry points whose modules register decoders, sub-discriminators, losses, formats or verbs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one verb, or print the help without one.

    Args:
        arguments (`Sequence[str]`, *optional*):
            The command line, by default that of this process.

    Returns:
        `int`: the verb's own exit status, 0 by default; 1 for an error, 2 for wrong usage (argparse exits with 2 by
        itself), 128 and the number of a signal that ended it.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    load_extensions()
    modules = {name: import_module(module) for name, module in VERBS.items()}
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may lack the characters of a name
    module = modules.get(arguments[0]) if arguments else None
    with nullcontext() if module is None or hasattr(module, "RESUME") else ending_signals():
        return _run(arguments, modules, module)


def load_extensions() -> None:
    """Import the modules that installed packages name in their entry points of the group `EXTENSIONS`."""
    for entry in importlib.metadata.entry_points(group=EXTENSIONS):
        try:
            entry.load()
        except Exception as error:  # of another package, whose fault must not end this command
            print(f"hf-vits: the extension {entry.value} was not loaded: {error!r}", file=sys.stderr)


def _run(arguments: list[str], modules: dict[str, ModuleType], module: ModuleType | None) -> int:
    name = "hf-vits" if module is None else f"hf-vits {arguments[0]}"
    try:
        parser, verb = _parsers(modules, module)
        options = parse(parser, arguments, verb)
        if module is None:
            parser.print_help()
            return 0
        status = module.run(options) or 0
        flush_output()
        return status
    except KeyboardInterrupt as interrupt:
        number = interrupt.number if isinstance(interrupt, Stopped) else 2
        reason = f"stopped by {interrupt}" if isinstance(interrupt, Stopped) else str(interrupt)
        print(f"{name}: {reason or getattr(module, 'RESUME', 'interrupted')}", file=sys.stderr)
        return 128 + number
    except Exception as error:
        message = message_of(error, getattr(module, "OUT_OF_MEMORY", ""))
        if message is None:
            raise
        print(f"{name}: {message}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


def _parsers(modules: dict[str, ModuleType], chosen: ModuleType | None) -> tuple[Parser, Parser | None]:
    """Return the parser of the whole command, and that of the chosen verb, which alone has its options."""
    parser = Parser(
        prog="hf-vits",
        usage="hf-vits VERB [options]",
        description="Text-to-speech with VITS. `hf-vits VERB --help` lists the options of a verb.",
        epilog="\n".join(["verbs:", *(f"  {name:12}{module.HELP}" for name, module in modules.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)  # whoever reads this found it
    parser.add_argument(
        "--version", action="version", version=f"hf_vits {hf_vits.__version__}", help="print the version"
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", help=argparse.SUPPRESS, prog="hf-vits")
    chosen_parser = None
    for name, module in modules.items():
        verb = verbs.add_parser(name, description=module.HELP)
        if module is chosen:
            module.add_arguments(verb)
            chosen_parser = verb
    return parser, chosen_parser


if __name__ == "__main__":
    sys.exit(main())
