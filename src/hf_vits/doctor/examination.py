"""From a path to a report: read, checked by every check, and tried if nothing speaks against it."""

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_vits.conversion.discriminators import INSIDE_VOICE
from hf_vits.doctor.check_discriminator import Judges, check_judges, read_judges
from hf_vits.doctor.check_files import check_leftovers, check_licence, check_state, foreign_finding
from hf_vits.doctor.check_tokenizer import check_front_end, check_vocabulary
from hf_vits.doctor.configuration import (
    check_classes,
    check_fields,
    check_kind,
    check_signal,
    check_speakers,
    configured,
    usable,
)
from hf_vits.doctor.expected_shapes import fit, layers_of, suggested_fields
from hf_vits.doctor.findings import ERROR, SEVERITIES, WARNING, Diagnostic, error, printable
from hf_vits.doctor.fixes import converted
from hf_vits.doctor.readers import config_above, read_json
from hf_vits.doctor.smoke_test import check_stock_config, load_tokenizer, speak, verdict
from hf_vits.doctor.voice_folder import Folder, read_tensors
from hf_vits.doctor.weights import check_tensors, check_types, check_values, check_weight_norm

CHECKS: tuple[Callable[[Folder], Iterable[Diagnostic]], ...] = (
    check_fields,
    check_kind,
    check_classes,
    check_stock_config,
    check_signal,
    check_speakers,
    check_tensors,
    check_types,
    check_weight_norm,
    check_vocabulary,
    check_front_end,
    check_licence,
    check_state,
    check_leftovers,
)


@dataclass(frozen=True)
class Report:
    """
    What is known of a path.

    Args:
        path (`str`):
            As it was given.
        findings (`list[Finding]`):
            The gravest first.
        verdict (`dict[str, str]`):
            What the voice can be used for, and how that is known; empty if the path is no folder of a voice.
    """

    path: str
    findings: list[Diagnostic] = field(default_factory=list)
    verdict: dict[str, str] = field(default_factory=dict)

    def of(self, severity: str) -> list[Diagnostic]:
        """The findings of that severity."""
        return [found for found in self.findings if found.severity == severity]

    def exit_code(self, strict: bool = False) -> int:
        """1 if there are errors, or with `strict` warnings; else 0."""
        return int(bool(self.of(ERROR) or strict and self.of(WARNING)))


def examine(path: str | Path) -> Report:
    """
    Examines the folder of a voice, or says what else a path is. Never raises for what it finds.

    Args:
        path (`str` or `Path`):
            A folder in Hugging Face layout: of this package, stock transformers or a fine-tuner; or a checkpoint of a
            run.

    Example:

    ```python
    >>> from hf_vits.doctor import examine

    >>> [found.id for found in examine("nowhere/at/all").findings]
    ['path.missing']
    ```
    """
    given, path = str(path), Path(path).expanduser()
    with _silence_logging():
        try:
            path = (
                path if path.name not in ("", "..") else Path(os.path.realpath(path))
            )  # a copy beside it needs its name
            if (foreign := foreign_finding(path)) is not None:
                return Report(given, [foreign])
            folder, judges, findings = _read(path)
        except (OSError, ValueError) as problem:  # a name with a null in it, a folder that went away
            return Report(given, [error("path.unreadable", f"{path} cannot be examined ({problem}).")])
        for check in CHECKS:
            findings += _safely(check.__name__, lambda check=check: check(folder))
        if folder.tensors is not None:
            findings += _safely("check_values", lambda: check_values(folder, folder.tensors))
        findings += _safely("check_judges", lambda: check_judges(folder, judges))
        heard = _tried(folder, findings)
    findings.sort(key=lambda found: SEVERITIES.index(found.severity))
    return Report(given, findings, verdict(folder, judges, heard, findings))


def _read(path: Path) -> tuple[Folder, Judges | None, list[Diagnostic]]:
    folder = Folder(path, frozenset(entry.name for entry in path.iterdir()))
    config = read_json(path / "config.json")
    folder.raw, folder.has_config = config.table or {}, config.table is not None
    findings = [] if folder.has_config else [_no_config(path, config.problem)]
    folder.good_fields, folder.bad_fields = usable(folder.raw)
    folder.tensors, found = read_tensors(path)
    findings += found
    if folder.tensors is not None:
        own = {name: shape for name, shape in folder.tensors.shapes.items() if not name.startswith(INSIDE_VOICE)}
        folder.layers = layers_of(own)
        folder.told = suggested_fields(folder.layers.shapes)
    if folder.has_config:
        folder.config = configured(folder.raw, folder.good_fields, folder.bad_fields)
        if folder.tensors is not None:
            folder.fit = fit(folder.config, folder.good_fields, folder.layers.shapes, folder.bad_fields.keys())
    folder.vocabulary, folder.tokenizer = read_json(path / "vocab.json"), read_json(path / "tokenizer_config.json")
    judges, found = read_judges(path, folder.tensors)
    return folder, judges, findings + found


def _no_config(path: Path, problem: str) -> Diagnostic:
    which, text = "config.damaged" if problem else "config.missing", problem or "There is no config.json"
    mend, command = "Copy that of the run or of the base voice into the folder, or fetch it again.", None
    if above := config_above(path):
        mend = f"The folder is a checkpoint of a run, which has one for all, {above}: make a voice of both."
        command = converted(path)
    return error(which, f"{text}, without which no model can be built.", mend, command)


def _tried(folder: Folder, findings: list[Diagnostic]) -> str:
    """Speaks, and loads the tokenizer, if nothing is known to be wrong; what was heard."""
    errors = {found.id for found in findings if found.severity == ERROR}
    is_there = folder.vocabulary.table is not None
    if is_there and not any(id.startswith("tokenizer.") for id in errors):
        findings += load_tokenizer(folder)
    if errors:
        return ""
    heard, found = speak(folder)
    findings += found
    return heard


def _safely(name: str, check: Callable[[], Iterable[Diagnostic]]) -> list[Diagnostic]:
    """The findings of a check; a fault of its own becomes one more, so that those of the others are not lost."""
    found: list[Diagnostic] = []
    try:
        found.extend(check())
    except Exception as problem:
        text = f"{name} could not be carried through ({type(problem).__name__}: {str(problem)[:200]})."
        found.append(error("doctor.failed", text, "Please report this, with the folder if you can.", check=name))
    return found


@contextmanager
def _silence_logging() -> Iterator[None]:
    """Within it, nobody logs: what is worth knowing becomes a finding."""
    before: Any = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


FORMAT_VERSION = 1
"""Of the JSON; raised when a field changes its meaning."""


def in_words(report: Report) -> str:
    """Findings grouped by severity, each with how to mend it; the verdict last."""
    return "\n".join(_lines(report))


def as_json(report: Report) -> str:
    """One object; ids of findings stay the same from version to version."""
    findings = [
        {
            "id": found.id,
            "severity": found.severity,
            "text": found.text,
            "mend": found.mend,
            "command": found.command,
            "facts": dict(found.facts),
        }
        for found in report.findings
    ]
    counts = {severity: len(report.of(severity)) for severity in SEVERITIES}
    whole = {
        "format": FORMAT_VERSION,
        "path": report.path,
        "counts": counts,
        "findings": findings,
        "verdict": report.verdict,
    }
    return json.dumps(whole, indent=2, default=str)


def _lines(report: Report) -> Iterator[str]:
    for severity in SEVERITIES:
        found = report.of(severity)
        if found:
            yield f"{severity}{'s' if len(found) > 1 else ''} ({len(found)})"
            for finding in found:
                yield from _finding(finding)
            yield ""
    if not report.findings:
        yield "Nothing is wrong."
    name = printable(report.path)
    said = "; ".join(f"{use}: {answer}" for use, answer in report.verdict.items())
    yield f"{name}: {said}" if said else f"{name}: no folder of a voice"


def _finding(finding: Diagnostic) -> Iterator[str]:
    yield f"  {finding.id}: {finding.text}"
    if finding.mend:
        yield f"    {finding.mend}"
    if finding.command:
        yield f"    $ {finding.command}"
