"""Voices of other projects, made ours: `convert(path)` tells the format by content and reads it.

A format is one module here with a `NAME`, `recognises(path, head) -> bool` and `convert(path, config) -> Converted`.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from hf_vits.conversion.keys import Converted

__all__ = ["FORMATS", "Converted", "convert", "known_formats"]

FORMATS = ("piper",)
"""Modules of the formats that are known, in the order they are tried."""

DAMAGE = (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)
"""What a reader may stumble over in a file that is not what its format promises, besides a `ValueError`."""

HEAD_SIZE = 4096
"""Bytes of a file that a format may tell itself by."""


def convert(path: str | Path, config: str | Path | None = None) -> Converted:
    """
    Reads a voice of another project.

    Args:
        path (`str` or `Path`):
            Its weights, or a folder with one file of them.
        config (`str` or `Path`, *optional*):
            The file that describes it, where it is not where its project keeps it.

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
    config = None if config is None else Path(config).expanduser()
    if path.is_dir():
        path = _only_voice(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}; give the file that holds the voice's weights, or its folder."
        )
    found = _format_of(path)
    if found is None:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is of no format that can be converted. Known formats: "
            f"{'; '.join(known_formats())}."
        )
    try:
        return found.convert(path, config)
    except DAMAGE as error:
        raise ValueError(
            f"{path}, or a file that belongs to it, is damaged ({type(error).__name__}: {_brief(error)}); nothing was "
            "converted. Fetch it again."
        ) from error


def known_formats() -> list[str]:
    """What `convert` reads, in words."""
    return [module.NAME for module in _modules()]


def _modules() -> list[ModuleType]:
    return [import_module(f"hf_vits.conversion.{name}") for name in FORMATS]


def _format_of(path: Path) -> ModuleType | None:
    with path.open("rb") as file:
        head = file.read(HEAD_SIZE)
    return next((module for module in _modules() if module.recognises(path, head)), None)


def _brief(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]


def _only_voice(folder: Path) -> Path:
    """The one file of the folder that is of a known format."""
    voices = [file for file in sorted(folder.iterdir()) if file.is_file() and _format_of(file)]
    if len(voices) != 1:
        found = ", ".join(file.name for file in voices) or "none"
        raise ValueError(
            f"{folder} must hold one voice to be converted, but of these it holds: {found}. Give the file itself. "
            f"Known formats: {'; '.join(known_formats())}."
        )
    return voices[0]
