"""Packages that a benchmark needs beside this one: the names of missing ones, and the versions of the others."""

import importlib.util
import platform
import re
import shlex
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version


def check_installed(packages: Mapping[str, str]):
    """
    Ends the run with the pip line that helps, if anything is missing.

    Args:
        packages (`Mapping[str, str]`):
            What is imported, and what pip calls it, with bounds if it must have them.
    """
    missing = [pip for module, pip in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise SystemExit(f"Not installed: {', '.join(missing)}. Run: pip install {shlex.join(missing)}")


def versions(packages: Mapping[str, str]) -> dict[str, str]:
    """Packages as `check_installed` takes them -> the version of each, by its name without bounds."""
    found = {}
    for pip in packages.values():
        package = re.split("[<>=!~]", pip)[0]
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "of unknown version"
    return found


def print_versions(packages: Mapping[str, str], threads: int):
    found = "; ".join(" ".join(pair) for pair in versions(packages).items())
    print(f"Python {platform.python_version()}, {platform.machine()}, {threads} threads; {found}", flush=True)
