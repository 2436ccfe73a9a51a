"""Fixes of model folders, and how they are applied: JSON files in place, weights into a copy named `NAME-fixed`."""

import json
import os
import shlex
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hf_vits.conversion.discriminators import SUBFOLDER, convert_discriminator, generator_tensors
from hf_vits.doctor.diagnostics import Diagnostic, Fix, Report, printable
from hf_vits.hub.model_files import CONFIG, config_above
from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES
from hf_vits.modeling_vits import VitsModel
from hf_vits.utils.atomic_folder import destination, new_files, new_folder
from hf_vits.utils.files import exists, read_table, roots
from hf_vits.utils.formatting import quoted
from hf_vits.utils.logging import no_progress_bar

BASE = "_name_or_path"
"""The field of config.json with the name of the base model."""

INSTALL_PHONEMES = 'pip install "hf_vits[phonemes]"'


@dataclass(frozen=True)
class EditJson(Fix):
    """Set and remove fields of a JSON file, which is replaced: it may be a link into the Hub's cache."""

    file: str
    set: Mapping[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    automatic: bool = True

    @property
    def description(self) -> str:
        """Name the fields, their new values and the file."""
        changes = [f"remove {quoted(name)}" for name in self.remove]
        changes += [f"set `{name}` to {quoted(value)}" for name, value in self.set.items()]
        return f"In {self.file}, {', '.join(changes)}."

    def apply(self, folder: Path) -> Path:
        """Replace the file by one with the changed fields."""
        table = {name: value for name, value in read_table(folder / self.file).items() if name not in self.remove}
        with new_files(folder) as staged:
            (staged / self.file).write_text(json.dumps({**table, **self.set}, indent=2), encoding="utf-8")
        return folder


@dataclass(frozen=True)
class SaveCopy(Fix):
    """Load the model and save it, with all other files, in a copy of the folder."""

    fields: Mapping[str, Any] = field(default_factory=dict)  # of the configuration to load it with
    float32: bool = False
    split_discriminator: bool = False  # the file of weights holds discriminators, which get a folder of their own
    automatic: bool = True

    @property
    def description(self) -> str:
        """Name the copy and what differs in it."""
        changes = [f"with `{name}` {quoted(value)}" for name, value in self.fields.items()]
        changes += ["in float32"] * self.float32
        changes += [f"with its discriminators in {SUBFOLDER}/"] * self.split_discriminator
        return ", ".join(["Save the model in a copy of the folder, NAME-fixed", *changes]) + "."

    def merge(self, other: Fix) -> Fix | None:
        """Return the fix that makes the changes of both in one copy; `None` if the other writes none."""
        if not isinstance(other, SaveCopy):
            return None
        split = self.split_discriminator or other.split_discriminator
        return SaveCopy({**self.fields, **other.fields}, self.float32 or other.float32, split)

    def apply(self, folder: Path) -> Path:
        """Write the copy, whole or not at all."""
        target = destination(f"{folder}-fixed")
        if exists(target):
            raise FileExistsError(f"{target} exists already; rename or remove it first.")
        state_dict = generator_tensors(folder) if self.split_discriminator else None
        with no_progress_bar(), new_folder(target) as staged:
            model = VitsModel.from_pretrained(folder, state_dict=state_dict, **self.fields)
            shutil.copytree(folder, staged, dirs_exist_ok=True, ignore=_not_copied(folder))
            (model.float() if self.float32 else model).save_pretrained(staged)
            if self.split_discriminator:
                convert_discriminator(folder).save_pretrained(staged / SUBFOLDER)
            if base := read_table(folder / CONFIG).get(BASE):  # whose license applies; transformers does not save it
                EditJson(CONFIG, {BASE: base}).apply(staged)
        return target


@dataclass(frozen=True)
class ExtractDiscriminator(Fix):
    """Save the discriminators that lie beside the model in the subfolder where training looks for them."""

    automatic: bool = False

    @property
    def description(self) -> str:
        """Name the subfolder."""
        return f"Save the discriminators in {SUBFOLDER}/."

    def apply(self, folder: Path) -> Path:
        """Write the subfolder, whole or not at all."""
        with no_progress_bar(), new_folder(folder / SUBFOLDER) as staged:
            convert_discriminator(folder).save_pretrained(staged)
        return folder


@dataclass(frozen=True)
class FixResult:
    """
    A fix that was applied, failed, or would be applied.

    Args:
        ids (`list[str]`):
            The diagnostics that have this fix.
        description (`str`):
            What it does.
        status (`str`):
            `"planned"`, `"applied"` or `"failed"`.
        folder (`Path`, *optional*):
            The folder that is fixed, once applied.
        reason (`str`):
            Why it failed.
    """

    ids: list[str]
    description: str
    status: str = "planned"
    folder: Path | None = None
    reason: str = ""

    def as_text(self) -> str:
        """Return one line."""
        place = f" -> {self.folder}" if self.folder else ""
        reason = f" Nothing was changed: {self.reason}" if self.reason else ""
        return printable(f"{self.status}: {', '.join(self.ids)}: {self.description}{reason}{place}")


def apply_fixes(report: Report, only: Collection[str] = (), dry_run: bool = False) -> list[FixResult]:
    """
    Apply the fixes of a report: edits of JSON files first, then at most one copy with all changes of the weights.

    Args:
        report ([`Report`]):
            Of the folder to fix.
        only (`Collection[str]`, *optional*):
            Ids of diagnostics whose fixes are applied, whether automatic or not; by default, all automatic ones.
        dry_run (`bool`, *optional*, defaults to `False`):
            Whether to return the fixes without applying any.

    Example:

    ```python
    >>> from hf_vits.doctor import apply_fixes, examine

    >>> apply_fixes(examine("nowhere/at/all"))
    []
    ```
    """
    results = []
    for ids, fix in _planned(report.diagnostics, only):
        result = FixResult(ids, fix.description)
        if not dry_run:
            try:
                result = replace(result, status="applied", folder=fix.apply(report.folder))
            except Exception as problem:  # another fault of the files can make the libraries fail in any way
                reason = str(problem).strip() or type(problem).__name__
                result = replace(result, status="failed", reason=reason[:500])
        results.append(result)
    return results


def _planned(diagnostics: Iterable[Diagnostic], only: Collection[str]) -> list[tuple[list[str], Fix]]:
    """Return the fixes to apply, each once, with the ids of their diagnostics; the copy comes last."""
    plan: list[tuple[list[str], Fix]] = []
    for found in diagnostics:
        if found.fix is None or (found.id not in only if only else not found.fix.automatic):
            continue
        for index, (ids, fix) in enumerate(plan):
            if merged := fix.merge(found.fix):
                plan[index] = [*ids, found.id], merged
                break
        else:
            plan.append(([found.id], found.fix))
    return sorted(plan, key=lambda planned: isinstance(planned[1], SaveCopy))


def _not_copied(folder: Path) -> Callable[[str, list[str]], set[str]]:
    """Return a filter for `shutil.copytree`: own weights, which are saved anew, and links to folders or elsewhere."""
    weights, allowed = {*SAFE_NAMES, *PICKLE_NAMES}, roots(Path(os.path.realpath(folder)))

    def is_followed(link: Path) -> bool:
        target = Path(os.path.realpath(link))
        return not target.is_dir() and any(target.is_relative_to(root) for root in allowed)

    def ignored(directory: str, names: list[str]) -> set[str]:
        links = [Path(directory, name) for name in names if os.path.islink(Path(directory, name))]
        skipped = {link.name for link in links if not is_followed(link)}
        return skipped | weights.intersection(names) if Path(directory) == folder else skipped

    return ignored


def resave(folder: Path, fix: SaveCopy | None = None) -> dict[str, Any]:
    """Return what helps: saving the model, or converting a checkpoint with the configuration of its run."""
    if exists(folder / CONFIG):
        return {"fix": fix or SaveCopy()}
    return {"command": convert_command(folder) if config_above(folder) else None}


def convert_command(source: Path) -> str | None:
    """Return the command that converts a file or folder of another project into a model folder beside it."""
    return shell("hf-vits", "convert", str(source), f"{source.with_suffix('') if source.is_file() else source}-voice")


def shell(*words: str) -> str | None:
    """Return the words as a command of a POSIX shell; `None` if they cannot be printed."""
    return shlex.join(words) if all(word.isprintable() for word in words) else None
