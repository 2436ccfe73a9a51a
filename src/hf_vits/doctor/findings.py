"""What a check says: how bad it is, what was found and is allowed, and how to mend it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ERROR = "error"
WARNING = "warning"
NOTE = "note"
SEVERITIES = (ERROR, WARNING, NOTE)


@dataclass(frozen=True)
class Diagnostic:
    """
    One thing that is worth knowing of a voice.

    Args:
        id (`str`):
            What it is, for scripts: `weights.missing`. Stays the same from version to version.
        severity (`str`):
            `"error"` if the voice cannot be used as it is, `"warning"` if it can, but not everywhere or not as meant,
            `"note"` if there is nothing to mend.
        text (`str`):
            What was found, and what is allowed.
        mend (`str`, *optional*):
            What to do, in words.
        command (`str`, *optional*):
            A command of a POSIX shell that does it.
        facts (`Mapping[str, Any]`, *optional*):
            The values that the text speaks of, as JSON can hold them.
    """

    id: str
    severity: str
    text: str
    mend: str = ""
    command: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        """Makes the words harmless: they quote files, which can hold anything."""
        object.__setattr__(self, "text", printable(self.text))
        object.__setattr__(self, "mend", printable(self.mend))


def error(id: str, text: str, mend: str = "", command: str | None = None, /, **facts: Any) -> Diagnostic:
    """A finding that keeps the voice from being used as it is."""
    return Diagnostic(id, ERROR, text, mend, command, facts)


def warning(id: str, text: str, mend: str = "", command: str | None = None, /, **facts: Any) -> Diagnostic:
    """A finding that does not keep the voice from speaking here."""
    return Diagnostic(id, WARNING, text, mend, command, facts)


def note(id: str, text: str, mend: str = "", command: str | None = None, /, **facts: Any) -> Diagnostic:
    """A finding that needs no mending."""
    return Diagnostic(id, NOTE, text, mend, command, facts)


def printable(text: str) -> str:
    """The text with what a terminal would act on, and what no encoding can write, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
