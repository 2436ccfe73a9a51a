"""What is to be converted: a file or a folder, read once by whichever format asks first."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hf_vits.conversion.checkpoint import Checkpoint, read_checkpoint
from hf_vits.hub.known_voices import missing_path
from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES
from hf_vits.utils.files import require_if_there

HEAD_SIZE = 4096
"""Bytes of a file that a format may tell itself by."""

PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How files of `torch.save` begin."""

SUFFIXES = (".onnx", ".pth", ".pt", ".ckpt")
"""Of the files that hold a voice of another project."""

CHECKPOINTS = "checkpoint-*"
"""Folders of a training run of finetune-hf-vits, each with a voice as it was."""

BESIDE = ("D_", "DUR_", "speaker", "language_ids", "d_vector")
"""Begin the names of files beside a voice: the original's discriminators, and Coqui's tables of names and vectors."""


@dataclass(frozen=True)
class Source:
    """
    Args:
        path (`Path`):
            The file of weights, or a folder in the layout of Hugging Face.
        config (`Path`, *optional*):
            The file that describes the voice, where it is not where its project keeps it.
        discriminator (`Path`, *optional*):
            The discriminators it was trained against, where they are neither in nor beside it.
    """

    path: Path
    config: Path | None = None
    discriminator: Path | None = None

    @cached_property
    def head(self) -> bytes:
        """The beginning of the file; empty for a folder."""
        if self.path.is_dir():
            return b""
        with self.path.open("rb") as file:
            return file.read(HEAD_SIZE)

    @cached_property
    def checkpoint(self) -> Checkpoint | None:
        """The file's tensors; `None` for a folder, and for a file that does not begin as one of tensors does."""
        safetensors = len(self.head) > 8 and self.head[8:9] == b"{"
        return read_checkpoint(self.path) if safetensors or self.head.startswith(PICKLES) else None

    def has_tensors(self, *prefixes: str) -> bool:
        """Whether for each prefix there is a tensor whose name begins with it."""
        names = self.checkpoint.tensors if self.checkpoint else ()
        return all(any(name.startswith(prefix) for name in names) for prefix in prefixes)

    def beside(self, *names: str) -> Path | None:
        """The first of these files that lies in the same folder."""
        folder = self.path if self.path.is_dir() else self.path.parent
        return next((folder / name for name in names if (folder / name).is_file()), None)


def locate(path: Path) -> Path:
    """
    The file that holds the voice: the path itself, or the only such file in a folder; or a folder of Hugging Face's.

    Raises:
        FileNotFoundError: if there is nothing.
        ValueError: if a folder holds several.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        require_if_there(path)
        raise FileNotFoundError(f"{missing_path(path)} Give the file that holds the voice's weights, or its folder.")
    if any((path / name).is_file() for name in (*SAFE_NAMES, *PICKLE_NAMES)):
        return path
    voices = [
        file
        for file in sorted(path.iterdir())
        if file.suffix in SUFFIXES and file.is_file() and not file.name.startswith(BESIDE)
    ]
    if len(voices) != 1:
        found = ", ".join(file.name for file in voices[:8]) or "none"
        runs = sorted(folder.name for folder in path.glob(CHECKPOINTS) if folder.is_dir())
        raise ValueError(
            f"{path} must hold one voice to be converted, but of these ({', '.join(SUFFIXES)}) it holds: {found}. Give "
            + (f"one of its checkpoints: {', '.join(runs[:8])}." if runs and not voices else "the file itself.")
        )
    return voices[0]
