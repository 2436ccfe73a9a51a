"""Which configuration a voice's tensors are held against: the file's, or that with what the tensors say instead."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V

Shape = tuple[int, ...]

PAIRS = {"old": (OLD_G, OLD_V), "new": (NEW_G, NEW_V)}

NORMED = re.compile(r".*\.wavenet\.(in_layers\.\d+|res_skip_layers\.\d+|cond_layer)")
"""Layers that stock transformers holds with weight norm; it holds all others plain."""


@dataclass(frozen=True)
class Layers:
    """
    Args:
        shapes (`dict[str, Shape]`):
            Of every tensor under its name without weight norm; that of a half of a pair is left out.
        formats (`dict[str, set[str]]`):
            For each layer with a weight, how it is stored: `"old"` is `weight_g` and `weight_v`, `"new"`
            `parametrizations.weight.original0` and `1`, `"plain"` one tensor.
        unpaired (`list[str]`):
            Tensors of a pair whose other half is missing.
        mismatched (`list[str]`):
            Layers whose g does not belong to their v.
    """

    shapes: dict[str, Shape] = field(default_factory=dict)
    formats: dict[str, set[str]] = field(default_factory=dict)
    unpaired: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)

    def stored_as(self, kind: str, in_wavenet: bool) -> list[str]:
        """Layers stored that way alone, of those that stock transformers holds with weight norm, or of the others."""
        return [
            name for name, ways in self.formats.items() if ways == {kind} and bool(NORMED.fullmatch(name)) == in_wavenet
        ]

    @property
    def duplicated(self) -> list[str]:
        """Layers that are stored in more than one way."""
        return [layer for layer, ways in self.formats.items() if len(ways) > 1]


def layers_of(shapes: Mapping[str, Shape]) -> Layers:
    """Takes names apart; no values are needed."""
    found = Layers()
    for name, shape in shapes.items():
        pair = next(
            ((way, g, v, name[: -len(end)]) for way, (g, v) in PAIRS.items() for end in (g, v) if name.endswith(end)),
            None,
        )
        if pair is None:
            found.shapes[name] = shape
            if name.endswith(".weight"):
                found.formats.setdefault(name.removesuffix(".weight"), set()).add("plain")
            continue
        way, g, v, layer = pair
        if layer + g not in shapes or layer + v not in shapes:
            found.unpaired.append(name)
            continue
        found.formats.setdefault(layer, set()).add(way)
        found.shapes[layer + ".weight"] = weight = shapes[layer + v]
        if name.endswith(g) and shape != (*weight[:1], *[1] * (len(weight) - 1)):
            found.mismatched.append(layer)
    return found


Shapes = Mapping[str, Shape]

ENCODER = "text_encoder.encoder.layers"


def inferred_fields(shapes: Shapes) -> dict[str, Any]:
    """Fields of [`VitsConfig`] by name, those that shapes, by name without weight norm, tell; nothing is checked."""
    fields = {**_text(shapes), **_decoder(shapes), **_durations(shapes), **_flow(shapes), **_speakers(shapes)}
    return {name: value for name, value in fields.items() if value not in (None, 0, [])}


def size(shapes: Shapes, layer: str, axis: int) -> int | None:
    """One size of a layer's weight; `None` if there is no such layer or axis."""
    shape = shapes.get(f"{layer}.weight", ())
    return shape[axis] if axis < len(shape) else None


def count(shapes: Shapes, begins: str) -> int:
    """How many layers there are, numbered from 0 without a gap."""
    numbers = {match[1] for name in shapes if (match := re.match(re.escape(begins) + r"\.(\d+)\.", name))}
    return next(number for number in range(len(numbers) + 1) if str(number) not in numbers)


def _text(shapes: Shapes) -> dict[str, Any]:
    first, hidden = f"{ENCODER}.0", size(shapes, "text_encoder.embed_tokens", 1)
    fields = {
        "vocab_size": size(shapes, "text_encoder.embed_tokens", 0),
        "hidden_size": hidden,
        "num_hidden_layers": count(shapes, ENCODER),
        "ffn_dim": size(shapes, f"{first}.feed_forward.conv_1", 0),
        "ffn_kernel_size": size(shapes, f"{first}.feed_forward.conv_1", 2),
        "flow_size": (size(shapes, "text_encoder.project", 0) or 0) // 2,
    }
    positions = shapes.get(f"{first}.attention.emb_rel_k", ())
    if len(positions) == 3 and hidden and positions[2]:
        width = hidden + (size(shapes, "embed_language", 1) or 0)
        fields |= {"window_size": (positions[1] - 1) // 2, "num_attention_heads": width // positions[2]}
    return fields


def _decoder(shapes: Shapes) -> dict[str, Any]:
    stages, blocks = count(shapes, "decoder.upsampler"), count(shapes, "decoder.resblocks")
    kind = "2" if "decoder.resblocks.0.convs.0.weight" in shapes else "1" if blocks else None
    first = "convs.0" if kind == "2" else "convs1.0"
    kernels = [size(shapes, f"decoder.upsampler.{stage}", 2) for stage in range(stages)]
    widths = [size(shapes, f"decoder.resblocks.{block}.{first}", 2) for block in range(blocks // max(stages, 1))]
    return {
        "upsample_initial_channel": size(shapes, "decoder.conv_pre", 0),
        "upsample_kernel_sizes": None if None in kernels else kernels,
        "resblock_type": kind,
        "resblock_kernel_sizes": None if None in widths else widths,
    }


def _durations(shapes: Shapes) -> dict[str, Any]:
    if "duration_predictor.conv_1.weight" in shapes:
        return {
            "use_stochastic_duration_prediction": False,
            "duration_predictor_filter_channels": size(shapes, "duration_predictor.conv_1", 0),
            "duration_predictor_kernel_size": size(shapes, "duration_predictor.conv_1", 2),
        }
    if "duration_predictor.conv_pre.weight" not in shapes:
        return {}
    present = {**shapes, "duration_predictor.flows.1.": ()}  # only training uses this one, which may be absent
    flows = count(present, "duration_predictor.flows") - 1
    bins = size(shapes, f"duration_predictor.flows.{flows}.conv_proj", 0)
    return {
        "use_stochastic_duration_prediction": True,
        "duration_predictor_kernel_size": size(shapes, "duration_predictor.conv_dds.convs_dilated.0", 2),
        "depth_separable_num_layers": count(shapes, "duration_predictor.conv_dds.convs_dilated"),
        "duration_predictor_num_flows": flows,
        "duration_predictor_flow_bins": bins and (bins + 1) // 3,
    }


def _flow(shapes: Shapes) -> dict[str, Any]:
    return {
        "prior_encoder_num_flows": count(shapes, "flow.flows"),
        "prior_encoder_num_wavenet_layers": count(shapes, "flow.flows.0.wavenet.in_layers"),
        "wavenet_kernel_size": size(shapes, "flow.flows.0.wavenet.in_layers.0", 2),
        "spectrogram_bins": size(shapes, "posterior_encoder.conv_pre", 1),
        "posterior_encoder_num_wavenet_layers": count(shapes, "posterior_encoder.wavenet.in_layers"),
    }


def _speakers(shapes: Shapes) -> dict[str, Any]:
    fields = {"speaker_embedding_size": size(shapes, "decoder.cond", 1)}
    if "embed_speaker.weight" in shapes:
        fields |= {"num_speakers": size(shapes, "embed_speaker", 0)}
    return fields


INVALID = (
    *(StrictDataclassError, ValueError, TypeError, LookupError),
    *(ArithmeticError, RuntimeError, AttributeError, MemoryError),
)
"""What a configuration that no model can have may end in, wherever it comes to light."""


@dataclass(frozen=True)
class ShapeMatch:
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
    def mismatches(self) -> int:
        """How many tensors are not as they should be."""
        return len(self.missing) + len(self.unexpected) + len(self.misshaped)


def match_shapes(
    config: VitsConfig | None, said: Mapping[str, Any], shapes: Mapping[str, Shape], unusable: Collection[str] = ()
) -> ShapeMatch | None:
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
    told = {name: value for name, value in inferred_fields(shapes).items() if _settles(name, said)}
    plain = {name: value for name, value in said.items() if name not in ("speaker_names", "hop_length")}
    own = None if config is None else _held_against(config, shapes)
    if own is not None and not own.mismatches:
        return own
    corrected = _config({**plain, **told})
    other = None if corrected is None else _held_against(corrected, shapes)
    if other is None or own is not None and own.mismatches <= other.mismatches:
        return own
    base = VitsConfig()
    now = {name: said.get(name, getattr(base, name)) for name in told}
    differs = {name: (now[name], told[name]) for name in told if _differ(now[name], told[name])}
    differs = {name: both for name, both in differs.items() if name not in unusable}
    return ShapeMatch(corrected, differs, other.missing, other.unexpected, other.misshaped)


def expected_layers(config: VitsConfig) -> Layers | None:
    """The tensors of a model of this configuration, without memory for them; `None` if there can be none."""
    try:
        with torch.device("meta"):
            return layers_of({name: tuple(tensor.shape) for name, tensor in VitsModel(config).state_dict().items()})
    except INVALID:
        return None


def _held_against(config: VitsConfig, shapes: Mapping[str, Shape]) -> ShapeMatch | None:
    expected = expected_layers(config)
    if expected is None:
        return None
    wanted = expected.shapes
    return ShapeMatch(
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
    except INVALID:
        return None


def _differ(said: Any, told: Any) -> bool:
    return (list(said) if isinstance(said, tuple) else said) != told
