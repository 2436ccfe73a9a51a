"""Settings as options of a verb: each field of a dataclass, from the command line, a JSON file or a preset."""

import argparse
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hf_vits.cli.parser import Parser, UsageError
from hf_vits.utils.formatting import nearest
from hf_vits.utils.setting_fields import checked, expanded, hints_of, is_switch
from hf_vits.utils.threads import fix_threads

logger = logging.getLogger(__name__)

EXPECTATION = "expectation"
"""Name in a file of settings of a sentence that is logged before the start: what was measured with these settings."""


def preset_names(folder: Traversable) -> list[str]:
    """Return the names of the presets in a folder."""
    return sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))


def require_train_extra() -> None:
    """Raise `ImportError` if a package is missing that training and synthesis need."""
    missing = [name for name in ("accelerate", "datasets", "filelock", "psutil") if find_spec(name) is None]
    if missing:
        raise ImportError(f'The package {missing[0]} is not installed. Run `pip install "hf_vits[train]"`.')


def add_settings(
    parser: Parser, groups: Mapping[str, type], common: Sequence[str], without: Sequence[str] = ()
) -> None:
    """
    Declare every field of dataclasses as an option; `--config` names a file of them.

    Args:
        parser ([`Parser`]):
            The parser of a verb.
        groups (`Mapping[str, type]`):
            Dataclasses with fields made by [`option`], by the title of their group; all names differ.
        common (`Sequence[str]`):
            Names of the settings that `--help` shows; `--help-all` shows all but those of a class's `unused`.
        without (`Sequence[str]`, *optional*):
            Names of fields that are no options, since the verb sets them.
    """
    parser.usage = "%(prog)s [--config FILE] [--SETTING VALUE ...]"
    parser.add_argument("--config", metavar="FILE", help="JSON file of settings; options override it")
    listed = {"groups": groups, "hidden": without}
    parser.add_argument("--help-all", action=_HelpAll, nargs=0, **listed, help="list all settings and exit")
    for kind in groups.values():
        parser.renamed |= getattr(kind, "renamed", {})
        for item in (item for item in fields(kind) if item.name not in without):
            settings = _argument(kind, item.name)
            text = _first_clause(item.metadata["help"]) if item.name in common else argparse.SUPPRESS
            parser.add_argument(f"--{item.name}", help=text, **settings)
            if "_" in item.name:
                parser.add_argument(f"--{item.name.replace('_', '-')}", help=argparse.SUPPRESS, **settings)


class _HelpAll(argparse.Action):
    """Print all settings in their groups, with their defaults, and exit."""

    def __init__(self, groups: Mapping[str, type], hidden: Sequence[str], **kwargs):
        super().__init__(**{**kwargs, "default": argparse.SUPPRESS})
        self.groups, self.hidden = groups, hidden

    def __call__(self, parser: argparse.ArgumentParser, *_) -> None:
        full = Parser(prog=parser.prog, usage=parser.usage, add_help=False, epilog=parser.epilog)
        for title, kind in self.groups.items():
            group = full.add_argument_group(title)
            hidden = {*self.hidden, *getattr(kind, "unused", ())}
            for item in (item for item in fields(kind) if item.name not in hidden):
                default = item.default if item.default_factory is MISSING else item.default_factory()
                shown = "" if default in (None, "", []) else f" (default: {default})"
                text = f"{item.metadata['help']}{shown}".replace("%", "%%")
                group.add_argument(f"--{item.name}", help=text, **_argument(kind, item.name))
        full.print_help()
        parser.exit()


def _argument(kind: type, name: str) -> dict[str, Any]:
    """Return the arguments of `add_argument` for a setting; `read_settings` converts and checks its text."""
    switch = {"nargs": "?", "const": True} if is_switch(kind, name) else {}
    return {"dest": name, "default": argparse.SUPPRESS, "metavar": "X", **switch}


def _first_clause(text: str) -> str:
    """Return a description up to its first semicolon or full stop, for the one line that `--help` has for it."""
    return re.split(r"[;.] ", text)[0].removesuffix(".").replace("%", "%%")


def read_settings(
    options: argparse.Namespace, kinds: Sequence[type], presets: Traversable | None = None
) -> tuple[Any, ...]:
    """
    Return one object of each dataclass, made from the options and the file or preset of `--config`.

    Args:
        options (`argparse.Namespace`):
            Parsed options of `add_settings`.
        kinds (`Sequence[type]`):
            The dataclasses.
        presets (`Traversable`, *optional*):
            Folder of JSON files whose names `--config` takes too.

    Raises:
        UsageError: for a file that cannot be read, and unknown or wrong settings; has a line for each problem.
    """
    owners = {name: kind for kind in kinds for name in hints_of(kind)}
    try:
        values = {} if options.config is None else _read(_config_file(options.config, presets), owners)
        given = {name: getattr(options, name) for name in owners if hasattr(options, name)}
        _check_options(given, values, owners)
        if EXPECTATION in values:
            logger.info(values.pop(EXPECTATION))
        values |= given
        return tuple(kind(**{name: values[name] for name in hints_of(kind) if name in values}) for kind in kinds)
    except (ValueError, OSError) as error:
        raise UsageError(f"{error}\nNothing was started; --help-all lists all settings.") from error


def begin_measuring(options: argparse.Namespace, kind: type) -> Any:
    """Show the progress of a verb whose figures must be equal each time; return its settings, after fixing the threads
    that they name."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    (settings,) = read_settings(options, [kind])
    fix_threads(settings.cpu_threads)
    return settings


def _check_options(given: Mapping[str, Any], in_file: Mapping[str, Any], owners: Mapping[str, type]) -> None:
    """Raise `ValueError` for options that cannot be converted, which says what each is without it: that of the file."""
    problems = []
    for name, value in given.items():
        try:
            checked(owners[name], name, value, in_file.get(name, MISSING))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))


def _config_file(name: str, presets: Traversable | None) -> Traversable:
    path = Path(expanded("config", name))
    if path.is_file():
        return path
    known = preset_names(presets) if presets else []
    if name in known:
        return presets / f"{name}.json"
    if known:
        hint = nearest(name, known) or "."
        raise ValueError(f"`config` is {name!r}; there is no such file or preset{hint} Presets: {', '.join(known)}.")
    raise ValueError(f"`config` is {name!r}, but there is no such file.")


def _read(file: Traversable, owners: Mapping[str, type]) -> dict[str, Any]:
    """Read the settings of a JSON file and check each; raise `ValueError` for everything that is wrong in it."""
    try:
        read = json.loads(file.read_text(encoding="utf-8-sig"), object_pairs_hook=_without_duplicates)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{file} is not a JSON file of settings: {error}.") from error
    except _DuplicateName as error:
        raise ValueError(f"{file} holds `{error}` twice; keep one of them.") from error
    if not isinstance(read, dict):
        raise ValueError(f"{file} holds a {type(read).__name__}; it must be a JSON object of settings by name.")
    problems = []
    for name, value in read.items():
        if name == EXPECTATION and isinstance(value, str):
            continue
        if name not in owners:
            now = [kind.renamed[name] for kind in set(owners.values()) if name in getattr(kind, "renamed", {})]
            hint = f" any more; it is now `{now[0]}`." if now else nearest(name, owners) or "."
            problems.append(f"{file}: `{name}` is not a setting{hint}")
            continue
        try:
            checked(owners[name], name, value)
        except ValueError as error:
            problems.append(f"{file}: {error}")
    if problems:
        raise ValueError("\n".join(problems))
    return read


class _DuplicateName(Exception):
    """Report that a JSON object has one name twice."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise _DuplicateName(name)
        table[name] = value
    return table
