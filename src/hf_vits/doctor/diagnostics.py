"""Report the result of an examination: diagnostics, each with advice and, where there is one, a fix."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hf_vits.utils.formatting import listed

ERROR = "error"
WARNING = "warning"
NOTE = "note"
SEVERITIES = (ERROR, WARNING, NOTE)

FORMAT_VERSION = 2
"""Version of the JSON report; it is raised when a key changes its meaning."""


class Fix(ABC):
    """
    Change a model folder so that what a diagnostic reports is gone.

    `automatic` is `False` if the change needs a decision: `hf-vits doctor --fix` then applies it only if it is named.
    """

    automatic: bool

    @property
    @abstractmethod
    def description(self) -> str:
        """Describe the change in one sentence."""

    @abstractmethod
    def apply(self, folder: Path) -> Path:
        """Change the folder, or write a changed copy beside it; return the one that is fixed."""

    def merge(self, other: "Fix") -> "Fix | None":
        """Return one fix that makes the changes of both; `None` if each is applied by itself."""
        return self if self == other else None


@dataclass(frozen=True)
class Diagnostic:
    """
    Describe one fault of a model folder, or a remark about it.

    Args:
        id (`str`):
            The kind of diagnostic, for scripts: `weights.missing`. Stays the same from version to version.
        severity (`str`):
            `"error"` if the model cannot be used as it is, `"warning"` if it can, but not everywhere or not as
            intended, `"note"` if nothing has to be changed.
        message (`str`):
            What was found, and what is allowed.
        advice (`str`, *optional*):
            What to do.
        fix ([`Fix`], *optional*):
            The change that does it, which [`apply_fixes`] applies.
        command (`str`, *optional*):
            A shell command for what is left to the user, such as installing a package.
        details (`Mapping[str, Any]`, *optional*):
            The values that the message names, in types that JSON has.
    """

    id: str
    severity: str
    message: str
    advice: str = ""
    fix: Fix | None = None
    command: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        """Escape control characters: messages quote files, which can hold anything."""
        object.__setattr__(self, "message", printable(self.message))
        object.__setattr__(self, "advice", printable(self.advice))


def _diagnostic(
    severity: str, id: str, message: str, advice: str = "", /, fix=None, command=None, **details: Any
) -> Diagnostic:
    return Diagnostic(id, severity, message, advice, fix, command, details)


error, warning, note = (partial(_diagnostic, severity) for severity in SEVERITIES)


def counted(text: str, names: Sequence[str]) -> str:
    """Return the text with the number of names and the first of them, as one sentence."""
    return f"{text} ({len(names)}): {listed(names)}."


def printable(text: str) -> str:
    """Escape what a terminal would act on and what no encoding can write."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass(frozen=True)
class Report:
    """
    Hold everything that an examination found.

    Args:
        path (`str`):
            The path as it was given.
        diagnostics (`list[Diagnostic]`):
            The most severe first.
        uses (`dict[str, str]`):
            For each use of a model whether it is possible, and how that is known; empty if the path is no model folder.
        folder (`Path`, *optional*):
            The model folder that was examined; `None` if the path is none.
    """

    path: str
    diagnostics: list[Diagnostic] = field(default_factory=list)
    uses: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None

    def of(self, severity: str) -> list[Diagnostic]:
        """Return the diagnostics of that severity."""
        return [diagnostic for diagnostic in self.diagnostics if diagnostic.severity == severity]

    def exit_code(self, strict: bool = False) -> int:
        """Return 1 if there are errors or, with `strict`, warnings; else 0."""
        return int(bool(self.of(ERROR) or strict and self.of(WARNING)))

    def as_dict(self) -> dict[str, Any]:
        """Return the report in types that JSON has."""
        return {
            "format": FORMAT_VERSION,
            "path": self.path,
            "counts": {severity: len(self.of(severity)) for severity in SEVERITIES},
            "diagnostics": [{**vars(found), "fix": _fix_as_dict(found.fix)} for found in self.diagnostics],
            "uses": self.uses,
        }

    def as_text(self) -> str:
        """Return diagnostics grouped by severity, each with its advice, fix and command; the possible uses last."""
        lines = [] if self.diagnostics else ["No problems found."]
        for severity in SEVERITIES:
            if group := self.of(severity):
                lines.append(f"{severity}{'s' if len(group) > 1 else ''} ({len(group)})")
                lines += [line for diagnostic in group for line in _lines(diagnostic)]
                lines.append("")
        uses = "; ".join(f"{use}: {answer}" for use, answer in self.uses.items())
        return "\n".join([*lines, f"{printable(self.path)}: {uses or 'not a model folder'}"])


def _fix_as_dict(fix: Fix | None) -> dict[str, Any] | None:
    return fix and {"description": printable(fix.description), "automatic": fix.automatic}


def _lines(diagnostic: Diagnostic) -> Iterator[str]:
    yield f"  {diagnostic.id}: {diagnostic.message}"
    if diagnostic.advice:
        yield f"    {diagnostic.advice}"
    if diagnostic.fix:
        option = "--fix" if diagnostic.fix.automatic else f"--fix --only {diagnostic.id}"
        yield f"    {option}: {printable(diagnostic.fix.description)}"
    if diagnostic.command:
        yield f"    $ {diagnostic.command}"
