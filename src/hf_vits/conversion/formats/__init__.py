"""Register the formats that `convert` reads.

A format is one module with two functions, and one entry in `FORMATS` with what must be known without importing it:

- `recognizes(source) -> bool` returns whether a [`~conversion.source.Source`] is of the format;
- `convert(source) -> Converted` reads it: `source.checkpoint` holds the tensors, `key_mapping.translate` renames them
  by rules, `shape_inference.infer_config` returns the configuration, and `Converted` checks that both fit.

A module of another package registers itself when it is imported, see [`register_format`].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from hf_vits.utils.registry import Registry


@dataclass(frozen=True)
class Format:
    """
    Describe a format, as far as that needs no file.

    Args:
        title (`str`):
            What lists of known formats call it, with its files.
        writer (`str`):
            The program whose format it is, for messages: "Piper".
        module (`str`):
            The module with `recognizes` and `convert`; imported when a file is read.
        suffixes (`Sequence[str]`, *optional*):
            Suffixes of its files, in lower case.
        companions (`Sequence[str]`, *optional*):
            Beginnings of the names of files with such a suffix that lie beside a voice and are not one.
        config_keys (`frozenset[str]`, *optional*):
            Keys that its config.json has at the top level, all of them.
    """

    title: str
    writer: str
    module: str
    suffixes: Sequence[str] = ()
    companions: Sequence[str] = ()
    config_keys: frozenset[str] = frozenset()

    def load(self) -> ModuleType:
        """Import the module of the format."""
        return import_module(self.module)


FORMATS: Registry[Format] = Registry("format")
"""The known formats, in the order they are tried."""


def register_format(
    name: str,
    title: str,
    writer: str,
    module: str,
    suffixes: Sequence[str] = (),
    companions: Sequence[str] = (),
    config_keys: Sequence[str] = (),
) -> Format:
    """
    Add a format to those that `convert` and `hf-vits convert` read; arguments are the fields of [`Format`].

    Example, in a module that defines `recognizes` and `convert`:

    ```python
    >>> register_format("acme", "Acme voice (*.acme)", "Acme", __name__, suffixes=[".acme"])  # doctest: +SKIP
    ```
    """
    suffixes = tuple(suffix.lower() for suffix in suffixes)
    format = Format(title, writer, module, suffixes, tuple(companions), frozenset(config_keys))
    return FORMATS.register(name)(format)


register_format(
    "piper_onnx",
    "Piper voice (<voice>.onnx with <voice>.onnx.json)",
    "Piper",
    "hf_vits.conversion.formats.piper_onnx",
    suffixes=[".onnx"],
    config_keys=["audio", "phoneme_id_map"],
)
register_format(
    "piper_lightning",
    "Piper training checkpoint (epoch=….ckpt with config.json or <voice>.onnx.json)",
    "Piper's training",
    "hf_vits.conversion.formats.piper_lightning",
    suffixes=[".ckpt"],
    config_keys=["audio", "phoneme_id_map"],
)
register_format(
    "coqui",
    "Coqui TTS VITS voice (best_model.pth with config.json)",
    "Coqui TTS",
    "hf_vits.conversion.formats.coqui",
    suffixes=[".pth"],
    companions=["speaker", "language_ids", "d_vector"],
    config_keys=["model_args", "audio"],
)
register_format(
    "original",
    "original VITS or MMS voice (G_*.pth with config.json; with vocab.txt in MMS)",
    "the original VITS and MMS",
    "hf_vits.conversion.formats.original",
    suffixes=[".pth", ".pt"],
    companions=["D_", "DUR_"],
    config_keys=["train", "data", "model"],
)
register_format(
    "transformers",
    "folder of transformers or finetune-hf-vits (config.json with model.safetensors; also a checkpoint-N)",
    "transformers",
    "hf_vits.conversion.formats.transformers",
)

CONTENTS = {".onnx": "an ONNX graph", ".ckpt": "a Lightning checkpoint", ".pth": "a PyTorch checkpoint"}
CONTENTS[".pt"] = CONTENTS[".pth"]

ARCHIVES = (".tar", ".gz", ".zip", ".nemo")
"""Suffixes of files that must be unpacked first."""

OTHER_SUFFIXES = {
    ".tar": "an archive, as MMS and Coqui distribute their voices; unpack it first",
    ".gz": "an archive, as MMS distributes its voices; unpack it first",
    ".zip": "an archive, as Coqui and ESPnet distribute their voices; unpack it first",
    ".nemo": "an archive of NeMo; unpack it first",
    ".bin": "a table of weights of unknown names",
    ".safetensors": "a table of weights",
    ".tflite": "a TensorFlow graph",
}
"""Suffixes of files of other projects that no format is known by."""


def known_formats() -> list[str]:
    """Return what `convert` reads, in words."""
    return [format.title for format in FORMATS.values()]


def suffix_descriptions() -> dict[str, str]:
    """Return what files of other projects are, by their suffix; nothing in them is read."""
    writers: dict[str, list[str]] = {}
    for format in FORMATS.values():
        for suffix in format.suffixes:
            writers.setdefault(suffix, []).append(format.writer)
    formats = {
        suffix: f"{CONTENTS.get(suffix, f'a file of the suffix {suffix}')}, as of {' or '.join(names)}"
        for suffix, names in writers.items()
    }
    return OTHER_SUFFIXES | formats


def is_foreign_config(table: dict) -> bool:
    """Return whether the object in a config.json has the keys that another project's has."""
    keys = (format.config_keys for format in FORMATS.values() if format.config_keys)
    return "model_type" not in table and any(required <= table.keys() for required in keys)
