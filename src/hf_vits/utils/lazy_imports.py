"""Import the public names of a package when they are first used."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_attributes(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """
    Return the `__getattr__` of a package that imports each public name on first use, and nothing else.

    Args:
        package (`str`):
            The package's `__name__`.
        modules (`Mapping[str, str]`):
            For each public name, the module that defines it, relative to `package` unless it begins with `hf_vits.`.
    """

    def attribute(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(sorted(modules))}")
        module = modules[name] if modules[name].startswith("hf_vits.") else f"{package}.{modules[name]}"
        return getattr(importlib.import_module(module), name)

    return attribute
