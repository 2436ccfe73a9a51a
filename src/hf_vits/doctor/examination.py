"""Examine a path: read the folder, run every check, test the model if nothing is wrong, and report all of it."""

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hf_vits.doctor import check_config, check_files, check_tokenizer, check_weights
from hf_vits.doctor.check_discriminator import check_discriminators
from hf_vits.doctor.check_path import check_path
from hf_vits.doctor.diagnostics import ERROR, SEVERITIES, Diagnostic, Report, error
from hf_vits.doctor.model_folder import ModelFolder, read_model_folder
from hf_vits.doctor.smoke_test import generate, load_tokenizer, possible_uses

CHECKS: tuple[Callable[[ModelFolder], Iterable[Diagnostic]], ...] = (
    check_config.check_file,
    check_config.check_fields,
    check_config.check_model_type,
    check_config.check_architectures,
    check_config.check_transformers,
    check_config.check_signal,
    check_config.check_speakers,
    check_weights.check_tensors,
    check_weights.check_types,
    check_weights.check_weight_norm,
    check_weights.check_values,
    check_discriminators,
    check_tokenizer.check_vocabulary,
    check_tokenizer.check_options,
    check_files.check_weight_files,
    check_files.check_license,
    check_files.check_training_state,
    check_files.check_leftovers,
)


def examine(path: str | Path) -> Report:
    """
    Examine a model folder, or report what else a path is. Never raises for what it finds.

    Args:
        path (`str` or `Path`):
            A folder in the layout of Hugging Face, of this package, transformers or a fine-tuner; or a checkpoint of
            a training run.

    Example:

    ```python
    >>> from hf_vits.doctor import examine

    >>> [diagnostic.id for diagnostic in examine("nowhere/at/all").diagnostics]
    ['path.missing']
    ```
    """
    given, path = str(path), Path(path).expanduser()
    with _silence_logging():
        try:
            if path.name in ("", ".."):  # a copy beside it needs its name
                path = Path(os.path.realpath(path))
            if (other := check_path(path)) is not None:
                return Report(given, [other])
            folder, diagnostics = read_model_folder(path), []
        except (OSError, ValueError) as problem:  # a name with a null in it, a folder that was removed meanwhile
            return Report(given, [error("path.unreadable", f"{path} cannot be examined ({problem}).")])
        for check in CHECKS:
            diagnostics += _run(check, folder)
        output = _test(folder, diagnostics)
    diagnostics.sort(key=lambda diagnostic: SEVERITIES.index(diagnostic.severity))
    return Report(given, diagnostics, possible_uses(folder, output, diagnostics), path)


def _test(folder: ModelFolder, diagnostics: list[Diagnostic]) -> str:
    """Load tokenizer and model if nothing is known to be wrong; return a description of what was generated."""
    errors = {diagnostic.id for diagnostic in diagnostics if diagnostic.severity == ERROR}
    if folder.vocabulary.table is not None and not any(id.startswith("tokenizer.") for id in errors):
        diagnostics += load_tokenizer(folder)
    if errors:
        return ""
    output, found = generate(folder)
    diagnostics += found
    return output


def _run(check: Callable[[ModelFolder], Iterable[Diagnostic]], folder: ModelFolder) -> list[Diagnostic]:
    """Return the diagnostics of a check; a fault of its own becomes one more, so that those of others are not lost."""
    diagnostics: list[Diagnostic] = []
    try:
        diagnostics.extend(check(folder))
    except Exception as problem:
        message = f"{check.__name__} failed ({type(problem).__name__}: {str(problem)[:200]})."
        advice = "Please report this, with the folder if you can."
        diagnostics.append(error("doctor.failed", message, advice, check=check.__name__))
    return diagnostics


@contextmanager
def _silence_logging() -> Iterator[None]:
    """Disable logging and warnings: what is worth knowing becomes a diagnostic."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
