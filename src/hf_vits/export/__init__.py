"""
Export models for other runtimes: `export(model, tokenizer, folder, target)`.

A target is one file: a function that writes the folder, registered by `@target(name, …)`. Those of this package are
listed in `TARGETS`, and imported when they are first needed.
"""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hf_vits.utils.registry import Registry

if TYPE_CHECKING:
    from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator
    from hf_vits.hub.license import Provenance
    from hf_vits.modeling_vits import VitsModel
    from hf_vits.tokenization_vits import VitsTokenizer

__all__ = ["PRECISIONS", "TARGETS", "Target", "Voice", "export", "known_targets", "target"]

PRECISIONS = ("float32", "float16", "int8")
"""Formats of stored weights; everything is computed in float32."""


@dataclass(frozen=True)
class Voice:
    """A model and what is exported with it: see the arguments of [`export`]."""

    model: "VitsModel"
    tokenizer: "VitsTokenizer"
    name: str = "voice"
    precision: str = "float32"
    discriminator: "VitsDiscriminator | None" = None
    language: int | str | None = None
    origin: "Provenance | None" = None


@dataclass(frozen=True)
class Target:
    """
    A runtime or project that reads exported files.

    Args:
        write (`Callable`):
            Writes and verifies the files of a [`Voice`] in a folder, and yields notes for the user.
        files (`str`):
            The files and who reads them, for the help of the command line.
        library (`str`):
            The `library_name` of the model card.
        is_graph (`bool`, *optional*, defaults to `True`):
            The files hold a traced graph: of one language, and in any of `PRECISIONS`. Others hold all weights in
            float32.
        takes_discriminator (`bool`, *optional*, defaults to `False`):
            The files can hold a discriminator too.
    """

    write: Callable[[Voice, Path], Iterable[str]]
    files: str
    library: str
    is_graph: bool = True
    takes_discriminator: bool = False


TARGETS: Registry[Target] = Registry(
    "target", {name: f"hf_vits.export.{name}" for name in ("piper", "sherpa", "split", "original", "transformers")}
)
"""Targets by name."""


def target(name: str, files: str, library: str, **fields: bool) -> Callable[[Callable], Callable]:
    """Return a decorator that registers a writing function as a [`Target`]."""

    def register(write: Callable) -> Callable:
        TARGETS.register(name)(Target(write, files, library, **fields))
        return write

    return register


def export(
    model: "VitsModel",
    tokenizer: "VitsTokenizer",
    directory: str | Path,
    target: str = "piper",
    precision: str = "float32",
    name: str = "voice",
    language: int | str | None = None,
    overwrite: bool = False,
    discriminator: "VitsDiscriminator | None" = None,
) -> tuple[str, ...]:
    """
    Write a model for another runtime. The model is not changed.

    The files are run and compared with PyTorch before the folder is put in place: it is complete and correct, or
    absent.

    Args:
        model (`VitsModel`):
            The model; what only training uses is left out.
        tokenizer (`VitsTokenizer`):
            Its tokenizer.
        directory (`str` or `Path`):
            The folder to create.
        target (`str`, *optional*, defaults to `"piper"`):
            The runtime: `"piper"`, `"sherpa"`, `"split"`, `"original"` or `"transformers"`.
        precision (`str`, *optional*, defaults to `"float32"`):
            `"float16"` halves the file, `"int8"` reduces it to less than a third; both are computed in float32.
        name (`str`, *optional*, defaults to `"voice"`):
            Name of the files, where the target does not fix it.
        language (`int` or `str`, *optional*):
            Id or name of the language of the exported graph, for a model of several: these runtimes select none.
        overwrite (`bool`, *optional*, defaults to `False`):
            Whether to replace a folder that is not empty, with everything in it.
        discriminator (`VitsDiscriminator`, *optional*):
            The discriminator of the training run, for the target `"original"`.

    Returns:
        `tuple[str, ...]`: notes: how close the result is to PyTorch, and what could not be kept.

    Raises:
        FileExistsError: if `directory` is a file, or is not empty and `overwrite` is not set.
        ImportError: without the packages onnx and onnxruntime.
        ValueError: if model and tokenizer do not belong together, if the target cannot run this model correctly, or
            if the output of the exported files differs from PyTorch's.

    Example:

    ```python
    >>> from hf_vits import VitsModel, VitsTokenizer, default_voice
    >>> from hf_vits.export import export

    >>> voice = default_voice()
    >>> model, tokenizer = VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice)
    >>> notes = export(model, tokenizer, "joe", target="piper", name="joe")  # doctest: +SKIP
    ```
    """
    from hf_vits.hub.cards import card
    from hf_vits.hub.license import CARD, inherit_license, origin_of
    from hf_vits.utils.atomic_folder import destination, new_folder, refuse_existing, refuse_losing

    _check_choices(target, precision, name, language)
    directory = destination(directory)
    refuse_existing(directory, overwrite)
    highest, rows = max(tokenizer.encoder.values()), model.config.vocab_size
    if highest >= rows:
        raise ValueError(
            f"The tokenizer has a token with id {highest}, but the model knows ids 0 to {rows - 1}. Do they belong "
            "together?"
        )
    origin = inherit_license(origin_of(str(model.name_or_path or "")))
    voice, chosen = Voice(model, tokenizer, name, precision, discriminator, language, origin), TARGETS[target]
    if model.name_or_path:
        refuse_losing(directory, model.name_or_path)
    with new_folder(directory, overwrite) as staged:
        notes = tuple(chosen.write(voice, staged))
        card(name, origin, tokenizer, notes, chosen.library).save(staged / CARD)
    return (*notes, f"The license of the model applies: {origin.license_in_words}.") if origin.license else notes


def _check_choices(target: str, precision: str, name: str, language: int | str | None) -> None:
    for kind, value, allowed in (("target", target, TARGETS), ("precision", precision, PRECISIONS)):
        if value not in allowed:
            raise ValueError(f"`{kind}` is {value!r}; it can be one of {', '.join(allowed)}.")
    if name in ("", "..") or Path(name).name != name:
        raise ValueError(f"`name` is {name!r}; it must be one part of a path, such as `en_US-joe-medium`.")
    if TARGETS[target].is_graph:
        return
    if precision != PRECISIONS[0]:
        raise ValueError(f"`precision` is {precision!r}, but the target {target} holds weights in {PRECISIONS[0]}.")
    if language is not None:
        raise ValueError(f"`language` is {language!r}, but the target {target} keeps all languages of a model.")


def known_targets() -> list[str]:
    """Return a line for each target: its name, its files and who reads them."""
    return [f"{name}: {TARGETS[name].files}" for name in TARGETS]


def needed(package: str) -> ModuleType:
    """Import onnx or onnxruntime; raise `ImportError` with the command that installs it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f'Exporting to ONNX needs the package {package}: `pip install "hf_vits[phonemes,onnx]"`.'
        ) from error
