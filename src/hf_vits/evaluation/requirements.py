"""Optional packages that a metric, a recognizer or a speaker encoder imports, and models named with them."""

import importlib.util
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from hf_vits.utils.registry import Registry

Class = TypeVar("Class", bound=type)

EXTRA = '"hf_vits[eval]"'
"""Arguments of pip for the packages of this extra."""


def missing_packages(packages: Mapping[str, str]) -> dict[str, str]:
    """Return those of `{module: arguments of pip}` that are not installed."""
    return {module: pip for module, pip in packages.items() if not is_installed(module)}


def is_installed(module: str) -> bool:
    """Return True if a module can be imported."""
    return module in sys.modules or importlib.util.find_spec(module) is not None


def require(packages: Mapping[str, str], purpose: str) -> None:
    """
    Check that packages are installed.

    Args:
        packages (`Mapping[str, str]`):
            Arguments of pip, by the name of the module that they install.
        purpose (`str`):
            What needs them, as the subject of the error.

    Raises:
        ImportError: if any are missing; names all of them, and the commands that install them.
    """
    if missing := missing_packages(packages):
        commands = " and ".join(f"`pip install {pip}`" for pip in dict.fromkeys(missing.values()))
        kind = "the packages" if len(missing) > 1 else "the package"
        raise ImportError(f"{purpose} needs {kind} {', '.join(missing)}. Run {commands}.")


def version_of(package: str) -> str:
    """Return the name and the version of a package."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def choose(registry: Registry[Class], given: str | None, setting: str) -> tuple[Class, str | None]:
    """
    Find the class and the model that `NAME` or `NAME:MODEL` names.

    Args:
        registry (`Registry`):
            Classes with `packages`; without a name the first one is chosen whose packages are installed.
        given (`str`, *optional*):
            The name; what follows the colon is a folder, or a name on the Hub.
        setting (`str`):
            Name of the setting, for errors.

    Raises:
        ValueError: for a name that is not registered, or nothing after the colon.
    """
    check_name(registry, given, setting)
    if not given:
        installed = (kind for kind in registry.values() if not missing_packages(kind.packages))
        return next(installed, registry.values()[0]), None
    name, _, model = given.partition(":")
    return registry[name], model.strip() or None


def check_name(registry: Registry, given: str | None, setting: str) -> None:
    """Raise `ValueError` unless a registry has what `NAME` or `NAME:MODEL` names; `setting` is for the error."""
    name, colon, model = (given or "").partition(":")
    if colon and not model.strip():
        raise ValueError(f"`{setting}` is {given!r}; after the colon comes a folder, or a name on the Hub.")
    if given and name not in registry:
        raise ValueError(
            f"`{setting}` is {given!r}; it begins with one of {', '.join(registry)}, then a colon and a folder or a "
            f"name on the Hub, such as {next(iter(registry))}:NAME."
        )


def all_packages(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Join the packages of several parts."""
    return {module: pip for part in parts for module, pip in part.items()}
