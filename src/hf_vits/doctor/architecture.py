"""Which configuration a voice's tensors are held against: the file's, or that with what the tensors say instead."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError

from hf_vits.configuration_vits import VitsConfig
from hf_vits.doctor.layers import Layers, Shape, layers_of
from hf_vits.doctor.suggested import suggested_fields
from hf_vits.modeling_vits import VitsModel

CANNOT_BE = (
    *(StrictDataclassError, ValueError, TypeError, LookupError),
    *(ArithmeticError, RuntimeError, AttributeError, MemoryError),
)
"""What a configuration that no model can have may end in, wherever it comes to light."""


@dataclass(frozen=True)
class Fit:
    """
    How tensors and configuration go together.

    Args:
        config ([`VitsConfig`]):
            The one they are held against.
        differs (`dict[str, tuple]`):
            Fields whose value in the file is not that of the tensors: both of them.
        missing, unexpected (`list[str]`):
            Tensors by name without weight norm.
        misshaped (`dict[str, tuple[Shape, Shape]]`):
            The shape that each has, and should have.
    """

    config: VitsConfig
    differs: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshaped: dict[str, tuple[Shape, Shape]] = field(default_factory=dict)

    @property
    def misfits(self) -> int:
        """How many tensors are not as they should be."""
        return len(self.missing) + len(self.unexpected) + len(self.misshaped)


def fit(
    config: VitsConfig | None, said: Mapping[str, Any], shapes: Mapping[str, Shape], unusable: Collection[str] = ()
) -> Fit | None:
    """
    The better of two fits, the file's own in doubt; `None` if no model can be made of either.

    Args:
        config ([`VitsConfig`], *optional*):
            What the file says, if a model can have it.
        said (`Mapping[str, Any]`):
            Its fields that are usable each for itself.
        shapes (`Mapping[str, Shape]`):
            Of the voice's tensors, by name without weight norm.
        unusable (`Collection[str]`, *optional*):
            Fields that the file has but that cannot be used, which is said elsewhere.
    """
    told = {name: value for name, value in suggested_fields(shapes).items() if _settles(name, said)}
    plain = {name: value for name, value in said.items() if name not in ("speaker_names", "hop_length")}
    own = None if config is None else _held_against(config, shapes)
    if own is not None and not own.misfits:
        return own
    corrected = _config({**plain, **told})
    other = None if corrected is None else _held_against(corrected, shapes)
    if other is None or own is not None and own.misfits <= other.misfits:
        return own
    base = VitsConfig()
    now = {name: said.get(name, getattr(base, name)) for name in told}
    differs = {name: (now[name], told[name]) for name in told if _differ(now[name], told[name])}
    differs = {name: both for name, both in differs.items() if name not in unusable}
    return Fit(corrected, differs, other.missing, other.unexpected, other.misshaped)


def expected_layers(config: VitsConfig) -> Layers | None:
    """The tensors of a model of this configuration, without memory for them; `None` if there can be none."""
    try:
        with torch.device("meta"):
            return layers_of({name: tuple(tensor.shape) for name, tensor in VitsModel(config).state_dict().items()})
    except CANNOT_BE:
        return None


def _held_against(config: VitsConfig, shapes: Mapping[str, Shape]) -> Fit | None:
    expected = expected_layers(config)
    if expected is None:
        return None
    wanted = expected.shapes
    return Fit(
        config,
        missing=sorted(wanted.keys() - shapes.keys()),
        unexpected=sorted(shapes.keys() - wanted.keys()),
        misshaped={
            name: (shapes[name], wanted[name]) for name in wanted if shapes.get(name, wanted[name]) != wanted[name]
        },
    )


def _settles(name: str, said: Mapping[str, Any]) -> bool:
    """Whether shapes tell this field, beside what else is said."""
    return name != "spectrogram_bins" or said.get("posterior_input", "linear") == "linear"


def _config(fields: dict[str, Any]) -> VitsConfig | None:
    try:
        return VitsConfig(**fields)
    except CANNOT_BE:
        return None


def _differ(said: Any, told: Any) -> bool:
    return (list(said) if isinstance(said, tuple) else said) != told
