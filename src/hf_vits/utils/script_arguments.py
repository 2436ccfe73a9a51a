"""Settings from a command line and a JSON file, checked by the dataclasses that hold them."""

import json
import sys
import threading
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from transformers import HfArgumentParser

from hf_vits.utils.error_messages import message_of
from hf_vits.utils.formatting import nearest
from hf_vits.utils.new_files import FULL
from hf_vits.utils.options import checked, expanded, hints_of, is_switch


class SettingsParser(HfArgumentParser):
    """
    Parse dataclasses: every text goes as it is written to the dataclass, which checks it.

    `--config` names a JSON file of settings; arguments win over it. A mistake ends the process with code 2 and a line
    for each problem, before anything is read but that file.

    Args:
        kinds (`list[type]`):
            The dataclasses, with fields made by [`option`]; all names differ.
        description (`str`):
            What `--help` begins with.
    """

    def __init__(self, kinds: list[type], description: str | None = None):
        super().__init__(kinds, description=description, allow_abbrev=False)
        self.kinds = kinds
        for action in self._actions:
            if action.dest in self._homes:
                action.type = action.choices = None  # one check serves the command line, files and Python
                if is_switch(self._homes[action.dest], action.dest):
                    action.nargs, action.const = "?", True
        self.add_argument("--config", metavar="FILE", help="JSON file of settings")

    @property
    def _homes(self) -> dict[str, type]:
        """Give the dataclass of each setting."""
        return {name: kind for kind in self.kinds for name in hints_of(kind)}

    def _renamed(self, given: str) -> str:
        """Return the end of an error for a setting's former name, with the name it has now; "" for other names."""
        dashes, name = "--" if given.startswith("--") else "", given.removeprefix("--").replace("-", "_")
        now = [table[name] for kind in self.kinds if name in (table := getattr(kind, "renamed", {}))]
        return f" any more; it is now `{dashes}{now[0]}`." if now else ""

    def parse(self, arguments: list[str] | None = None) -> tuple[Any, ...]:
        """Make one object of each dataclass from a command line, by default this process's."""
        try:
            return self._parse(arguments)
        except (ValueError, OSError) as error:
            self.error(str(error))

    def error(self, message: str) -> NoReturn:
        """Print the problem without the usage, which is longer than a screen, and exit with code 2."""
        self.exit(2, f"{self.prog}: {message}\nNothing was begun; --help lists all settings.\n")

    def _parse(self, arguments: list[str] | None) -> tuple[Any, ...]:
        absent = object()
        given, unknown = self.parse_known_args(arguments, Namespace(**dict.fromkeys(self._homes, absent)))
        if unknown:
            flag = unknown[0].split("=")[0]
            known = [f"--{name}" for name in (*self._homes, "config")]
            hint = (self._renamed(flag) or nearest(flag, known)) if flag.startswith("-") else ""
            raise ValueError(f"{' '.join(unknown)}: there is no such argument{hint or '.'}")
        values = {} if given.config is None else self._read(Path(expanded("config", given.config)))
        values |= {name: getattr(given, name) for name in self._homes if getattr(given, name) is not absent}
        return tuple(kind(**{name: values[name] for name in hints_of(kind) if name in values}) for kind in self.kinds)

    def _read(self, file: Path) -> dict[str, Any]:
        """Read the settings of a JSON file and check each; raise `ValueError` for all that is wrong in it."""
        try:
            read = json.loads(file.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
        except FileNotFoundError as error:
            raise ValueError(f"`config` is {str(file)!r}, but there is no such file.") from error
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{file} is no JSON file of settings: {error}.") from error
        except DuplicateName as error:
            raise ValueError(f"{file} holds `{error}` twice; keep one of them.") from error
        if not isinstance(read, dict):
            raise ValueError(f"{file} holds a {type(read).__name__}; it must be a JSON object of settings by name.")
        problems = []
        for name, value in read.items():
            if name not in self._homes:
                problems.append(
                    f"{file}: `{name}` is no setting{self._renamed(name) or nearest(name, self._homes) or '.'}"
                )
                continue
            try:
                checked(self._homes[name], name, value)
            except ValueError as error:
                problems.append(f"{file}: {error}")
        if problems:
            raise ValueError("\n".join(problems))
        return read


def run_script(main: Callable[[], None], interrupted: str = "interrupted") -> NoReturn:
    """
    Run a script and end the process: with code 0, with 1 and one line for a mistake of the caller, or with 130.

    Args:
        main (`Callable[[], None]`):
            The script. Errors that are no caller's mistake, nor of disk or network, keep their traceback.
        interrupted (`str`, *optional*):
            What is printed after Ctrl-C.
    """
    name = Path(sys.argv[0]).name
    threading.excepthook = _without_storage_errors(threading.excepthook)
    try:
        main()
    except KeyboardInterrupt:
        print(f"{name}: {interrupted}", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if (message := message_of(error)) is None:
            raise
        print(f"{name}: {message}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


def _without_storage_errors(hook: Callable) -> Callable:
    """Wrap a hook for errors in threads: a tracker's own thread prints a full disk, which the main one then reports."""

    def wrapped(arguments) -> None:
        if not (isinstance(arguments.exc_value, OSError) and arguments.exc_value.errno in FULL):
            hook(arguments)

    return wrapped


class DuplicateName(Exception):
    """Report that a JSON object has one name twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise DuplicateName(name)
        table[name] = value
    return table
