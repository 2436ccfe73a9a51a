"""The content of a model folder: configuration, tokenizer files, and names and shapes of all tensors."""

from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.discriminators import INSIDE_MODEL, SECOND_MODEL, SUBFOLDER
from hf_vits.conversion.schema import JsonTable, inspect_json
from hf_vits.conversion.shape_inference import LayerShapes, config_fields, layer_shapes
from hf_vits.conversion.tensor_table import Problem, TensorTable, inspect_file, inspect_folder
from hf_vits.doctor.shape_match import INVALID, ShapeMatch, match_shapes, match_without_config
from hf_vits.hub.model_files import CONFIG, TOKENIZER_CONFIG, VOCABULARY
from hf_vits.utils.files import exists, obstacle
from hf_vits.utils.formatting import quoted
from hf_vits.utils.model_size import MOST_SPAN

REFETCH = "Download the file again, or use another checkpoint."

OUR_FIELDS = {field.name for field in fields(VitsConfig)} - {field.name for field in fields(PreTrainedConfig)} | {
    "pad_token_id"
}


@dataclass(frozen=True)
class Discriminators:
    """Discriminators in a `"folder"` of their own, `"inside"` the model's file or in a file `"beside"` it."""

    where: str
    name: str
    tensors: TensorTable


@dataclass
class ModelFolder:
    """A folder that is meant to hold a model, read without trust; what could not be read is `None` or empty."""

    path: Path
    entries: frozenset[str]  # names of the files and folders in it
    config_file: JsonTable
    tokenizer_file: JsonTable
    vocabulary: JsonTable
    weights: TensorTable  # all tensors in the files of weights, and what could not be read of them
    discriminators: Discriminators | None = None
    valid_fields: dict[str, Any] = field(default_factory=dict)  # fields of VitsConfig that are valid each by itself
    invalid_fields: dict[str, str] = field(default_factory=dict)  # why the others are not
    config: VitsConfig | None = None  # if a model can have it
    layers: LayerShapes = field(default_factory=LayerShapes)  # of the model's own tensors
    match: ShapeMatch | None = None  # the differences between these and the configuration

    @property
    def raw(self) -> dict[str, Any]:
        """All fields of config.json."""
        return self.config_file.table or {}

    @property
    def has_config(self) -> bool:
        """Return True if config.json could be read."""
        return self.config_file.table is not None

    @property
    def tensors(self) -> TensorTable | None:
        """The tensors in the files of weights, if all could be read."""
        return None if self.weights.problems else self.weights

    @cached_property
    def inferred(self) -> dict[str, Any]:
        """Fields of the configuration that the shapes imply."""
        return config_fields(self.layers.shapes)

    @property
    def effective_config(self) -> VitsConfig | None:
        """The configuration of the weights, as far as it is known."""
        return self.match.config if self.match is not None else self.config


def read_model_folder(path: Path) -> ModelFolder:
    """Read a folder; raises `OSError` if it cannot be listed."""
    entries = frozenset(entry.name for entry in path.iterdir())
    files = [inspect_json(path / name) for name in (CONFIG, TOKENIZER_CONFIG, VOCABULARY)]
    folder = ModelFolder(path, entries, *files, inspect_folder(path))
    folder.discriminators = _discriminators(folder)
    folder.valid_fields, folder.invalid_fields = _split_fields(folder.raw)
    folder.config = _config(folder)
    if folder.tensors is not None:
        shapes = folder.tensors.shapes
        folder.layers = layer_shapes({name: shapes[name] for name in shapes if not name.startswith(INSIDE_MODEL)})
        if folder.has_config:
            invalid = folder.invalid_fields.keys()
            folder.match = match_shapes(folder.config, folder.valid_fields, folder.layers.shapes, invalid)
        else:
            folder.match = match_without_config(folder.layers.shapes)
    return folder


def _config(folder: ModelFolder) -> VitsConfig | None:
    if not folder.has_config or folder.invalid_fields:
        return None
    try:
        return VitsConfig(**folder.valid_fields)
    except INVALID:
        return None


def _split_fields(raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of [`VitsConfig`] that are valid each by itself, and why others are not."""
    probe, valid, invalid = VitsConfig(), {}, {}
    for name in [name for name in raw if name in OUR_FIELDS]:
        try:
            setattr(probe, name, raw[name])
            _check_lists(name, raw[name])
        except INVALID as problem:
            invalid[name] = str(problem.__cause__ or problem).strip().splitlines()[-1].strip()[:200]
        else:
            valid[name] = raw[name]
    return valid, invalid


def _check_lists(name: str, value: Any) -> None:
    """Raise for what the types of the fields leave open, and for numbers that would take too long to use."""
    if name == "resblock_dilation_sizes":
        for row in value:
            if not isinstance(row, list) or not all(type(number) is int for number in row):
                raise TypeError(f"`{name}` must be a list of lists of whole numbers, and holds {quoted(row)}")
            if max(row, default=0) > MOST_SPAN:
                raise ValueError(f"`{name}` has a dilation of {quoted(max(row))}")
    if isinstance(value, list) and name != "speaker_names" and len(value) > 100:
        raise ValueError(f"`{name}` has {len(value)} entries")
    for number in [value, *(value if isinstance(value, list) else [])]:
        if type(number) is int and abs(number) > 2**40:
            raise ValueError(f"`{name}` is larger than 2^40")


def _discriminators(folder: ModelFolder) -> Discriminators | None:
    own = folder.path / SUBFOLDER
    if own.is_dir():
        return Discriminators("folder", f"{SUBFOLDER}/", inspect_folder(own))
    if exists(own):
        problem = Problem("not_a_file", f"{SUBFOLDER} {obstacle(own) or 'is a file'}; it must be a folder")
        return Discriminators("folder", SUBFOLDER, TensorTable(problems=[problem]))
    if name := next((name for name in SECOND_MODEL if name in folder.entries), None):
        return Discriminators("beside", name, inspect_file(folder.path / name))
    inside = folder.weights.with_prefix(INSIDE_MODEL)
    return Discriminators("inside", f"{INSIDE_MODEL}*", inside) if folder.tensors and inside.shapes else None
