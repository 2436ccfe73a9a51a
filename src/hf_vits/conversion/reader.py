"""Detect the format of another project's voice by its content, and convert it."""

from pathlib import Path

from hf_vits.conversion.checkpoint import damage_named
from hf_vits.conversion.converted import Converted
from hf_vits.conversion.formats import FORMATS, known_formats
from hf_vits.conversion.source import Source, locate
from hf_vits.conversion.unsupported import exported_for, refusal


def convert(path: str | Path, config: str | Path | None = None, discriminator: str | Path | None = None) -> Converted:
    """
    Read a voice of another project. Nothing in its files is executed.

    Args:
        path (`str` or `Path`):
            Its weights, or a folder with one file of them.
        config (`str` or `Path`, *optional*):
            The file that describes it, if it is not where its project keeps it.
        discriminator (`str` or `Path`, *optional*):
            The discriminators it was trained against, if they are neither in nor beside the file of weights.

    Raises:
        FileNotFoundError: if there is no such file, or one that belongs to it is missing.
        ImportError: if reading the format needs a package that is not installed; names it.
        ValueError: if the format is not known, or the file is damaged or not a VITS voice.

    Example:

    ```python
    >>> from hf_vits.conversion import convert

    >>> convert("en_US-joe-medium.onnx").save("joe")  # doctest: +SKIP
    ```
    """
    path = Path(path).expanduser()
    if config is None and (runtime := exported_for(path)):
        raise ValueError(f"{path} was exported for {runtime}; convert the voice that it was exported from instead.")
    source = Source(locate(path), _expanded(config), _expanded(discriminator))
    with damage_named(source.path):
        known = refusal(source.checkpoint.tensors) if source.checkpoint else None
        if known is not None:
            raise ValueError(f"{source.path} is of no format that can be converted. {known}")
        modules = (format.load() for format in FORMATS.values())
        found = next((module for module in modules if module.recognizes(source)), None)
        if found is None:
            raise ValueError(
                f"{source.path} is of no format that can be converted. Known formats: {'; '.join(known_formats())}."
            )
        return found.convert(source)


def _expanded(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path).expanduser()
