"""Everything that the checks look at, read once and without trust."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_vits.configuration_vits import VitsConfig
from hf_vits.doctor.architecture import Fit
from hf_vits.doctor.json_files import Json
from hf_vits.doctor.layers import Layers
from hf_vits.doctor.tensors import Tensors


@dataclass
class Folder:
    """
    A folder that is meant to be a voice; what could not be read is `None` or empty.

    Args:
        path (`Path`):
            The folder.
        entries (`frozenset[str]`):
            Names of what lies in it.
        has_config (`bool`):
            Whether config.json could be read.
        raw, good_fields (`dict[str, Any]`):
            All of config.json, and the fields of ours in it that can be used.
        bad_fields (`dict[str, str]`):
            Why the others cannot.
        config ([`VitsConfig`], *optional*):
            The configuration, if a model can have it.
        tensors ([`Tensors`], *optional*):
            All that is in the weights; `layers` are those of the voice.
        told (`dict[str, Any]`):
            Fields as the tensors say them.
        fit ([`Fit`], *optional*):
            How tensors and configuration go together.
        vocabulary, tokenizer ([`Json`]):
            vocab.json and tokenizer_config.json.
    """

    path: Path
    entries: frozenset[str] = frozenset()
    has_config: bool = False
    raw: dict[str, Any] = field(default_factory=dict)
    good_fields: dict[str, Any] = field(default_factory=dict)
    bad_fields: dict[str, str] = field(default_factory=dict)
    config: VitsConfig | None = None
    tensors: Tensors | None = None
    layers: Layers = field(default_factory=Layers)
    told: dict[str, Any] = field(default_factory=dict)
    fit: Fit | None = None
    vocabulary: Json = field(default_factory=Json)
    tokenizer: Json = field(default_factory=Json)

    @property
    def believed(self) -> VitsConfig | None:
        """The configuration that the weights have, as far as it is known."""
        return self.fit.config if self.fit is not None else self.config
