"""Examine a path: read the folder, run every check, test the model if nothing is wrong, and report all of it."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.discriminators import INSIDE_VOICE
from hf_vits.doctor import check_config, check_files, check_tokenizer, check_weights
from hf_vits.doctor.check_discriminator import Discriminators, check_discriminators, read_discriminators
from hf_vits.doctor.diagnostics import ERROR, SEVERITIES, Diagnostic, Report, error
from hf_vits.doctor.expected_shapes import INVALID, inferred_fields, layers_of, match_shapes
from hf_vits.doctor.fixes import convert_command
from hf_vits.doctor.model_folder import ModelFolder, read_tensors
from hf_vits.doctor.readers import config_above, read_json
from hf_vits.doctor.smoke_test import generate, load_tokenizer, possible_uses

CHECKS: tuple[Callable[[ModelFolder], Iterable[Diagnostic]], ...] = (
    check_config.check_fields,
    check_config.check_model_type,
    check_config.check_architectures,
    check_config.check_transformers,
    check_config.check_signal,
    check_config.check_speakers,
    check_weights.check_tensors,
    check_weights.check_types,
    check_weights.check_weight_norm,
    check_tokenizer.check_vocabulary,
    check_tokenizer.check_options,
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
            if (other := check_files.check_path(path)) is not None:
                return Report(given, [other])
            folder, discriminators, diagnostics = _read(path)
        except (OSError, ValueError) as problem:  # a name with a null in it, a folder that was removed meanwhile
            return Report(given, [error("path.unreadable", f"{path} cannot be examined ({problem}).")])
        for check in CHECKS:
            diagnostics += _run(check.__name__, check, folder)
        if folder.tensors is not None:
            diagnostics += _run("check_values", check_weights.check_values, folder.tensors)
        diagnostics += _run("check_discriminators", check_discriminators, folder, discriminators)
        output = _test(folder, diagnostics)
    diagnostics.sort(key=lambda diagnostic: SEVERITIES.index(diagnostic.severity))
    return Report(given, diagnostics, possible_uses(folder, discriminators, output, diagnostics), path)


def _read(path: Path) -> tuple[ModelFolder, Discriminators | None, list[Diagnostic]]:
    folder = ModelFolder(path, frozenset(entry.name for entry in path.iterdir()))
    config = read_json(path / "config.json")
    folder.raw, folder.has_config = config.table or {}, config.table is not None
    diagnostics = [] if folder.has_config else [_no_config(path, config.problem)]
    folder.valid_fields, folder.invalid_fields = check_config.split_fields(folder.raw)
    folder.tensors, found = read_tensors(path)
    diagnostics += found
    if folder.tensors is not None:
        own = {name: shape for name, shape in folder.tensors.shapes.items() if not name.startswith(INSIDE_VOICE)}
        folder.layers = layers_of(own)
        folder.inferred = inferred_fields(folder.layers.shapes)
    if folder.has_config:
        folder.config = _config_of(folder)
        if folder.tensors is not None:
            shapes = folder.layers.shapes
            folder.match = match_shapes(folder.config, folder.valid_fields, shapes, folder.invalid_fields.keys())
    folder.vocabulary, folder.tokenizer = read_json(path / "vocab.json"), read_json(path / "tokenizer_config.json")
    discriminators, found = read_discriminators(path, folder.tensors)
    return folder, discriminators, diagnostics + found


def _config_of(folder: ModelFolder) -> VitsConfig | None:
    if folder.invalid_fields:
        return None
    try:
        return VitsConfig(**folder.valid_fields)
    except INVALID:
        return None


def _no_config(path: Path, problem: str) -> Diagnostic:
    id, message = "config.damaged" if problem else "config.missing", problem or "There is no config.json"
    advice, command = "Copy that of the training run or of the base model into the folder, or download it again.", None
    if above := config_above(path):
        advice = f"The folder is a checkpoint of a training run, whose configuration is {above}: convert both."
        command = convert_command(path)
    return error(id, f"{message}, without which no model can be built.", advice, command=command)


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


def _run(name: str, check: Callable[..., Iterable[Diagnostic]], *arguments) -> list[Diagnostic]:
    """Return the diagnostics of a check; a fault of its own becomes one more, so that those of others are not lost."""
    diagnostics: list[Diagnostic] = []
    try:
        diagnostics.extend(check(*arguments))
    except Exception as problem:
        message = f"{name} failed ({type(problem).__name__}: {str(problem)[:200]})."
        advice = "Please report this, with the folder if you can."
        diagnostics.append(error("doctor.failed", message, advice, check=name))
    return diagnostics


@contextmanager
def _silence_logging() -> Iterator[None]:
    """Disable logging: what is worth knowing becomes a diagnostic."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
