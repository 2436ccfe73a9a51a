"""Settings that a reader, `--help` and the docs describe alike."""

from dataclasses import field
from typing import Any


def option(default: Any, description: str) -> Any:
    """A field of a dataclass; one description serves the reader, `--help` and the docs."""
    kind = {"default_factory": lambda: list(default)} if isinstance(default, list) else {"default": default}
    return field(**kind, metadata={"help": description})
