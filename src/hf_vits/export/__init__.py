"""Voices of ours for other runtimes: `export(model, tokenizer, folder, target)` writes what each of them reads.

A target is one module here with a `HELP`, the `LIBRARY` that a card names, and `write(voice, folder) -> notes`; the
modules import what they work with only then, so that a list of them costs nothing.
"""

import importlib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator
    from hf_vits.hub.license import Provenance
    from hf_vits.modeling_vits import VitsModel
    from hf_vits.tokenization_vits import VitsTokenizer

__all__ = ["PRECISIONS", "TARGETS", "Voice", "export", "known_targets"]

TARGETS = {
    "piper": "piper",
    "sherpa": "sherpa",
    "split": "split",
    "original": "original",
    "transformers": "transformers",
}
"""Modules of the targets, by the names that a caller gives."""

PLAIN = ("original", "transformers")
"""Targets whose files hold weights in float32, and in nothing else."""

PRECISIONS = ("float32", "float16", "int8")
"""What weights can be kept in; everything is computed in float32."""


@dataclass(frozen=True)
class Voice:
    """
    A voice and what it was trained against; what its files are called, the precision of the weights in them, the
    language that one of several is to speak, and its licence.
    """

    model: "VitsModel"
    tokenizer: "VitsTokenizer"
    name: str = "voice"
    precision: str = "float32"
    discriminator: "VitsDiscriminator | None" = None
    language: int | str | None = None
    origin: "Provenance | None" = None


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
    Writes a voice for another runtime. The model stays as it is.

    What was written is run and compared with PyTorch before it is put in place: the folder is whole and right, or not
    there.

    Args:
        model (`VitsModel`):
            The voice; what only training uses is left out.
        tokenizer (`VitsTokenizer`):
            Its tokenizer.
        directory (`str` or `Path`):
            The folder to make.
        target (`str`, *optional*, defaults to `"piper"`):
            What will run it: `"piper"`, `"sherpa"`, `"split"`, `"original"` or `"transformers"`.
        precision (`str`, *optional*, defaults to `"float32"`):
            `"float16"` halves the file, `"int8"` makes it less than a third; both are computed in float32.
        name (`str`, *optional*, defaults to `"voice"`):
            Name of the files, where the target has no names of its own.
        language (`int` or `str`, *optional*):
            The one language, by id or name, that a voice of several is to speak: no runtime here knows of languages.
        overwrite (`bool`, *optional*, defaults to `False`):
            Whether a folder that is not empty may be replaced, with everything in it.
        discriminator (`VitsDiscriminator`, *optional*):
            What it was trained against, for the target `"original"`.

    Returns:
        `tuple[str, ...]`: what the result is, how near it is to PyTorch, and what could not be kept.

    Raises:
        FileExistsError: if `directory` is a file, or holds anything and `overwrite` is not set.
        ImportError: without the packages onnx and onnxruntime.
        ValueError: if model and tokenizer do not belong together, if the target's runtime could not speak this voice
            rightly, or if what was written does not say what PyTorch says.

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

    for kind, value, allowed in (("target", target, TARGETS), ("precision", precision, PRECISIONS)):
        if value not in allowed:
            raise ValueError(f"`{kind}` is {value!r}; it can be one of {', '.join(allowed)}.")
    if name in ("", "..") or Path(name).name != name:
        raise ValueError(f"`name` is {name!r}; it must be one part of a path, as `en_US-joe-medium` is.")
    directory = destination(directory)
    refuse_existing(directory, overwrite)
    if target in PLAIN and precision != PRECISIONS[0]:
        raise ValueError(f"`precision` is {precision!r}, but the target {target} holds weights in {PRECISIONS[0]}.")
    if target in PLAIN and language is not None:
        raise ValueError(f"`language` is {language!r}, but the target {target} holds all that the voice knows.")
    highest, rows = max(tokenizer.encoder.values()), model.config.vocab_size
    if highest >= rows:
        raise ValueError(
            f"The tokenizer has a symbol with id {highest}, but the model knows ids 0 to {rows - 1}. Do they belong "
            "together?"
        )
    origin = inherit_license(origin_of(str(model.name_or_path or "")))
    voice = Voice(model, tokenizer, name, precision, discriminator, language, origin)
    if model.name_or_path:
        refuse_losing(directory, model.name_or_path)
    with new_folder(directory, overwrite) as staged:
        notes = tuple(_module(target).write(voice, staged))
        card(name, voice.origin, tokenizer, notes, _module(target).LIBRARY).save(staged / CARD)
    licence = voice.origin.license
    return (*notes, f"The voice's licence holds for this too: {voice.origin.license_in_words}.") if licence else notes


def known_targets() -> list[str]:
    """What `export` writes, in words."""
    return [f"{target}: {_module(target).HELP}" for target in TARGETS]


def _module(target: str):
    return import_module(f"hf_vits.export.{TARGETS[target]}")


def needed(package: str) -> ModuleType:
    """The package onnx or onnxruntime; `ImportError` that says how to install it if it is not there."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f'Exporting to ONNX needs the package {package}: `pip install "hf_vits[phonemes,onnx]"`.'
        ) from error
