"""Match the tensors of a model with its configuration, or with the one that their shapes imply if that fits better."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.shape_inference import Shape, config_fields, layer_shapes
from hf_vits.modeling_vits import VitsModel
from hf_vits.utils.meta_device import skeleton

INVALID = (
    *(StrictDataclassError, ValueError, TypeError, LookupError),
    *(ArithmeticError, RuntimeError, AttributeError, MemoryError),
)
"""Exceptions that a configuration raises which no model can have, wherever it is used first."""


@dataclass(frozen=True)
class ShapeMatch:
    """The differences between tensors and a configuration; tensors have their names without weight norm."""

    config: VitsConfig
    differs: dict[str, tuple[Any, Any]] = field(default_factory=dict)  # fields: value in the file, and of the tensors
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshaped: dict[str, tuple[Shape, Shape]] = field(default_factory=dict)  # the shape they have, and should have

    @property
    def mismatches(self) -> int:
        """Number of tensors that are not as the configuration asks for."""
        return len(self.missing) + len(self.unexpected) + len(self.misshaped)


def match_shapes(
    config: VitsConfig | None, given: Mapping[str, Any], shapes: Mapping[str, Shape], ignored: Collection[str] = ()
) -> ShapeMatch | None:
    """
    Match shapes with the file's configuration, or with the one they imply if that has fewer mismatches.

    Args:
        config ([`VitsConfig`], *optional*):
            The file's configuration, if a model can have it.
        given (`Mapping[str, Any]`):
            The file's fields that are valid each by itself.
        shapes (`Mapping[str, Shape]`):
            Shapes of the tensors, by name without weight norm.
        ignored (`Collection[str]`, *optional*):
            The file's other fields, which do not count as differences.

    Returns:
        `ShapeMatch`, *optional*: `None` if no model can have either configuration.
    """
    inferred = config_fields(shapes)
    if given.get("posterior_input", "linear") != "linear":
        inferred.pop("spectrogram_bins", None)  # the posterior encoder has another input then
    own = None if config is None else _match(config, shapes)
    if own is not None and not own.mismatches:
        return own
    fields = {name: value for name, value in given.items() if name not in ("speaker_names", "hop_length")}
    try:
        corrected = _match(VitsConfig(**{**fields, **inferred}), shapes)
    except INVALID:
        corrected = None
    if corrected is None or own is not None and own.mismatches <= corrected.mismatches:
        return own
    defaults = {name: getattr(VitsConfig(), name) for name in inferred if name not in ignored}
    differs = {name: (given.get(name, default), inferred[name]) for name, default in defaults.items()}
    lists = {name: (list(has) if isinstance(has, tuple) else has, should) for name, (has, should) in differs.items()}
    return replace(corrected, differs={name: differs[name] for name, (has, should) in lists.items() if has != should})


def match_without_config(shapes: Mapping[str, Shape]) -> ShapeMatch | None:
    """Match shapes with the configuration that they imply; `None` if they do not determine one."""
    fields = config_fields(shapes)
    kernels = fields.get("upsample_kernel_sizes") or []
    blocks = [
        len({name.split(".")[4] for name in shapes if re.match(rf"decoder\.resblocks\.{index}\.convs1?\.", name)})
        for index in range(len(fields.get("resblock_kernel_sizes") or []))
    ]
    # Strides and dilations are not in shapes. These fit the kernels, and the number of layers is right.
    strides = [max((r for r in range(1, k // 2 + 1) if (k - r) % 2 == 0), default=k) for k in kernels]
    assumed = {"upsample_rates": strides, "resblock_dilation_sizes": [[1] * count for count in blocks]}
    try:
        return _match(VitsConfig(**{**{name: value for name, value in assumed.items() if value}, **fields}), shapes)
    except INVALID:
        return None


def expected_shapes(config: VitsConfig) -> dict[str, Shape] | None:
    """Return the shapes of a model's tensors, without memory for them; `None` if there can be no such model."""
    try:
        state_dict = skeleton(VitsModel, config).state_dict()
    except INVALID:
        return None
    return layer_shapes({name: tuple(tensor.shape) for name, tensor in state_dict.items()}).shapes


def _match(config: VitsConfig, shapes: Mapping[str, Shape]) -> ShapeMatch | None:
    expected = expected_shapes(config)
    if expected is None:
        return None
    both = expected.keys() & shapes.keys()
    return ShapeMatch(
        config,
        missing=sorted(expected.keys() - shapes.keys()),
        unexpected=sorted(shapes.keys() - expected.keys()),
        misshaped={
            name: (shapes[name], expected[name]) for name in expected if name in both and shapes[name] != expected[name]
        },
    )
