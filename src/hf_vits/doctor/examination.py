"""From a path to a report: read, checked by every check, and tried if nothing speaks against it."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_vits.conversion.discriminators import INSIDE_VOICE
from hf_vits.doctor.architecture import fit
from hf_vits.doctor.commands import converted
from hf_vits.doctor.configuration import check_classes, check_fields, check_kind, configured, usable
from hf_vits.doctor.finding import ERROR, SEVERITIES, WARNING, Finding, error
from hf_vits.doctor.folder import Folder
from hf_vits.doctor.foreign import foreign_finding
from hf_vits.doctor.front_end import check_front_end
from hf_vits.doctor.json_files import read_json
from hf_vits.doctor.judges import Judges, check_judges, read_judges
from hf_vits.doctor.layers import layers_of
from hf_vits.doctor.leftovers import check_leftovers, check_state
from hf_vits.doctor.provenance import check_licence
from hf_vits.doctor.runs import config_above
from hf_vits.doctor.signal import check_signal
from hf_vits.doctor.speakers import check_speakers
from hf_vits.doctor.suggested import suggested_fields
from hf_vits.doctor.tensors import read_tensors
from hf_vits.doctor.trial import check_stock_config, load_tokenizer, speak, verdict
from hf_vits.doctor.values import check_values
from hf_vits.doctor.vocabulary import check_vocabulary
from hf_vits.doctor.weight_norm import check_weight_norm
from hf_vits.doctor.weights import check_tensors, check_types

CHECKS: tuple[Callable[[Folder], Iterable[Finding]], ...] = (
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
    findings: list[Finding] = field(default_factory=list)
    verdict: dict[str, str] = field(default_factory=dict)

    def of(self, severity: str) -> list[Finding]:
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
    with _hushed():
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


def _read(path: Path) -> tuple[Folder, Judges | None, list[Finding]]:
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


def _no_config(path: Path, problem: str) -> Finding:
    which, text = "config.damaged" if problem else "config.missing", problem or "There is no config.json"
    mend, command = "Copy that of the run or of the base voice into the folder, or fetch it again.", None
    if above := config_above(path):
        mend = f"The folder is a checkpoint of a run, which has one for all, {above}: make a voice of both."
        command = converted(path)
    return error(which, f"{text}, without which no model can be built.", mend, command)


def _tried(folder: Folder, findings: list[Finding]) -> str:
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


def _safely(name: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """The findings of a check; a fault of its own becomes one more, so that those of the others are not lost."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except Exception as problem:
        text = f"{name} could not be carried through ({type(problem).__name__}: {str(problem)[:200]})."
        found.append(error("doctor.failed", text, "Please report this, with the folder if you can.", check=name))
    return found


@contextmanager
def _hushed() -> Iterator[None]:
    """Within it, nobody logs: what is worth knowing becomes a finding."""
    before: Any = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
