"""The command line of `hf-vits`: errors of one sentence, and texts of several words without quotation marks."""

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the list of all options, which `--help` shows."""

    def error(self, message: str) -> NoReturn:
        """Exits with status 2."""
        end = "" if message.endswith("?") else "."
        self.exit(2, f"{self.prog}: {message}{end} See: {self.prog} --help\n")


def parse(parser: Parser, arguments: Sequence[str], verb: Parser | None) -> argparse.Namespace:
    """
    Read the arguments of a verb. Words that are left over belong to a text where the verb takes one, wherever they
    stand; all after `--` does.

    Args:
        parser ([`Parser`]):
            Of the whole command.
        arguments (`Sequence[str]`):
            What was typed.
        verb ([`Parser`], *optional*):
            Of the verb that was typed, if it is one.
    """
    takes_text = verb is not None and any(action.dest == "text" for action in verb._actions)
    words, arguments = [], list(arguments)
    if takes_text and "--" in arguments:
        place = arguments.index("--")
        words, arguments = arguments[place + 1 :], arguments[:place]
    options, left = parser.parse_known_args(arguments)
    unknown = [word for word in left if word.startswith("-") or not takes_text]
    if unknown:
        known = [name for action in verb._actions for name in action.option_strings] if verb else []
        near = get_close_matches(unknown[0].split("=")[0], known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        (verb or parser).error(f"unknown argument {unknown[0]!r}{hint}")
    if takes_text:
        options.text = [*options.text, *left, *words]
    return options


def number_or_name(value: str | None, names: Sequence[str] | None) -> int | str | None:
    """Return a known name as it is, and any other decimal number as an id (`int`)."""
    return int(value) if value is not None and value not in (names or ()) and value.isdecimal() else value
