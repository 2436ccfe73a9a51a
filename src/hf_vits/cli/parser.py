"""A command-line parser with errors of one sentence, help of one screen, and texts without quotation marks."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from hf_vits.utils.formatting import nearest


class UsageError(ValueError):
    """Report wrong usage; the command exits with status 2."""


class HelpFormatter(argparse.HelpFormatter):
    """Write each option and its help on one line where both fit."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=36)


class Parser(argparse.ArgumentParser):
    """Print errors without the usage, which `--help` shows, and take no abbreviated options."""

    def __init__(self, **kwargs):
        super().__init__(**{"formatter_class": HelpFormatter, "allow_abbrev": False, **kwargs})
        self.renamed: dict[str, str] = {}  # what options were called, and what they are called now
        self.rare: dict[argparse.Action, str] = {}  # options that --help does not show, and their help

    def add_rare(self, *flags: str, help: str, **settings: Any) -> None:
        """Declare an option that `--help-all` shows and `--help`, which fits on a screen, does not."""
        if not self.rare:
            self.add_argument("--help-all", action=_HelpAll, nargs=0, help="list all options and exit")
        self.rare[self.add_argument(*flags, help=argparse.SUPPRESS, **settings)] = help

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        end = "" if message.endswith("?") else "."
        self.exit(2, f"{self.prog}: {message}{end} See: {self.prog} --help\n")


class _HelpAll(argparse.Action):
    """Print the help with all options, and exit."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "default": argparse.SUPPRESS})

    def __call__(self, parser: Parser, *_) -> None:
        for action, text in parser.rare.items():
            action.help = text
        parser.print_help()
        parser.exit()


def parse(parser: Parser, arguments: Sequence[str], verb: Parser | None) -> argparse.Namespace:
    """
    Parse a command line. For a verb with an argument `text`, words that are no options, and all words after `--`,
    belong to the text.

    Args:
        parser ([`Parser`]):
            The parser of the whole command.
        arguments (`Sequence[str]`):
            The words of the command line.
        verb ([`Parser`], *optional*):
            The parser of the chosen verb, if there is one.
    """
    takes_text = verb is not None and any(action.dest == "text" for action in verb._actions)
    words, arguments = [], list(arguments)
    if takes_text and "--" in arguments:
        place = arguments.index("--")
        words, arguments = arguments[place + 1 :], arguments[:place]
    options, left = parser.parse_known_args(arguments)
    unknown = [word for word in left if word.startswith("-") or not takes_text]
    if unknown:  # the words after an unknown option are likely its values
        messages = [_unknown(word, verb) for word in unknown if word.startswith("-")]
        several = f"unknown argument{'s' * (len(unknown) > 1)} {', '.join(map(repr, unknown))}"
        (verb or parser).error("\n".join(messages) or several)
    if takes_text:
        options.text = [*options.text, *left, *words]
    return options


def _unknown(word: str, verb: Parser | None) -> str:
    """Return the message for an unknown option of a verb, with its new name or similar ones."""
    flag = word.split("=")[0]
    if verb is not None and (renamed := verb.renamed.get(flag.removeprefix("--").replace("-", "_"))):
        return f"unknown argument {word!r}; it is now `--{renamed}`"
    actions = verb._actions if verb else []
    known = [option for action in actions for option in action.option_strings if option.startswith("--")]
    return f"unknown argument {word!r}{nearest(flag, known[::-1])}"


def number_or_name(value: str | None, names: Sequence[str] | None) -> int | str | None:
    """Return a known name as it is, and any other decimal number as an id (`int`)."""
    return int(value) if value is not None and value not in (names or ()) and value.isdecimal() else value
