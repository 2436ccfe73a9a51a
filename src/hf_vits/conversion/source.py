"""Read the file or folder to convert, once for all formats."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hf_vits.conversion.checkpoint import Checkpoint, read_checkpoint
from hf_vits.conversion.formats import FORMATS
from hf_vits.conversion.suggestions import missing_path
from hf_vits.hub.model_files import checkpoints_in, has_weights
from hf_vits.utils.files import require_if_there

HEAD_SIZE = 4096
"""Bytes of a file by which a format may be recognised."""

PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of files of `torch.save`."""


@dataclass(frozen=True)
class Source:
    """
    Give formats access to the file or folder that is to be converted.

    Args:
        path (`Path`):
            The file of weights, or a folder in the layout of Hugging Face.
        config (`Path`, *optional*):
            The file that describes the voice, if it is not where its project keeps it.
        discriminator (`Path`, *optional*):
            The discriminators it was trained against, if they are neither in nor beside the file of weights.
    """

    path: Path
    config: Path | None = None
    discriminator: Path | None = None

    @property
    def folder(self) -> Path:
        """Return the folder itself, or that of the file."""
        return self.path if self.path.is_dir() else self.path.parent

    @cached_property
    def head(self) -> bytes:
        """Return the first bytes of the file; none for a folder."""
        if self.path.is_dir():
            return b""
        with self.path.open("rb") as file:
            return file.read(HEAD_SIZE)

    @cached_property
    def checkpoint(self) -> Checkpoint | None:
        """Read the file's tensors; `None` for a folder, and for a file that does not begin as one of tensors does."""
        safetensors = len(self.head) > 8 and self.head[8:9] == b"{"
        return read_checkpoint(self.path) if safetensors or self.head.startswith(PICKLES) else None

    def has_tensors(self, *prefixes: str) -> bool:
        """Return whether for each prefix there is a tensor whose name begins with it."""
        names = self.checkpoint.tensors if self.checkpoint else ()
        return all(any(name.startswith(prefix) for name in names) for prefix in prefixes)

    def beside(self, *names: str) -> Path | None:
        """Return the first of these files that lies in the same folder."""
        return next((self.folder / name for name in names if (self.folder / name).is_file()), None)


def locate(path: Path) -> Path:
    """
    Return the file that holds the voice: the path itself, or the only such file in a folder; or a model folder.

    Raises:
        FileNotFoundError: if there is no such path.
        ValueError: if a folder holds no such file, or several.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        require_if_there(path)
        raise FileNotFoundError(f"{missing_path(path)} Give the file that holds the voice's weights, or its folder.")
    if has_weights(path):
        return path
    suffixes = tuple(dict.fromkeys(suffix for format in FORMATS.values() for suffix in format.suffixes))
    companions = tuple(name for format in FORMATS.values() for name in format.companions)
    voices = [
        file
        for file in sorted(path.iterdir())
        if file.suffix in suffixes and file.is_file() and not file.name.startswith(companions)
    ]
    if len(voices) != 1:
        found = ", ".join(file.name for file in voices[:8]) or "none"
        runs = [] if voices else [folder.name for folder in checkpoints_in(path)]
        raise ValueError(
            f"{path} must hold one voice to be converted, but of these ({', '.join(suffixes)}) it holds: {found}. Give "
            + (f"one of its checkpoints: {', '.join(runs[:8])}." if runs else "the file itself.")
        )
    return voices[0]
