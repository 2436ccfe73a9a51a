"""Infer a configuration from the names and shapes of a model's tensors. No values are needed.

`config_fields` returns what can be inferred, for diagnostics; `infer_config` raises for anything that does not fit.
Both take the tensor names of this package; `vits_keys.rename_tensors` makes them from those of the original repository.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from hf_vits.configuration_decoders import DECODERS, fields_from_shapes
from hf_vits.configuration_vits import VitsConfig
from hf_vits.configuration_vits2 import PRE_TRANSFORMER, FlowConfig, TextEncoderConfig
from hf_vits.conversion.vits_keys import original_name
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V
from hf_vits.utils.formatting import listed

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

ENCODER = "text_encoder.encoder.layers"

WEIGHT_NORM = {"old": (OLD_G, OLD_V), "new": (NEW_G, NEW_V)}
"""The two tensors of a layer with weight norm, by format."""

NORMALIZED = re.compile(r".*\.wavenet\.(in_layers\.\d+|res_skip_layers\.\d+|cond_layer)")
"""Layers that transformers stores with weight norm; it stores all others without."""


@dataclass(frozen=True)
class LayerShapes:
    """
    Shapes of tensors without weight norm, and how each layer stores its weight.

    Args:
        shapes (`dict[str, Shape]`):
            Shape of each tensor; `weight_g` and `weight_v` of a layer are replaced by its `weight`.
        formats (`dict[str, set[str]]`):
            For each layer with a weight: `"old"` for `weight_g` and `weight_v`, `"new"` for
            `parametrizations.weight.original0` and `1`, `"plain"` for one tensor.
        unpaired (`list[str]`):
            Tensors of weight norm whose counterpart is missing; they are not in `shapes`.
        mismatched (`list[str]`):
            Layers whose g does not have the shape that belongs to their v.
    """

    shapes: dict[str, Shape] = field(default_factory=dict)
    formats: dict[str, set[str]] = field(default_factory=dict)
    unpaired: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)

    def stored_as(self, format: str, normalized: bool) -> list[str]:
        """Return the layers in that format alone, of those that transformers stores with weight norm or the others."""
        return [
            name
            for name, formats in self.formats.items()
            if formats == {format} and bool(NORMALIZED.fullmatch(name)) == normalized
        ]

    @property
    def stored_twice(self) -> list[str]:
        """Layers that are stored in more than one format."""
        return [layer for layer, formats in self.formats.items() if len(formats) > 1]


def layer_shapes(shapes: Mapping[str, Shape]) -> LayerShapes:
    """Replace the two tensors of each layer with weight norm by one weight."""
    result = LayerShapes()
    for name, shape in shapes.items():
        parts = next(
            (
                (format, g, v, name.removesuffix(end))
                for format, (g, v) in WEIGHT_NORM.items()
                for end in (g, v)
                if name.endswith(end)
            ),
            None,
        )
        if parts is None:
            result.shapes[name] = tuple(shape)
            if name.endswith(".weight"):
                result.formats.setdefault(name.removesuffix(".weight"), set()).add("plain")
            continue
        format, g, v, layer = parts
        if layer + g not in shapes or layer + v not in shapes:
            result.unpaired.append(name)
            continue
        result.formats.setdefault(layer, set()).add(format)
        result.shapes[layer + ".weight"] = weight = tuple(shapes[layer + v])
        if name.endswith(g) and tuple(shape) != (*weight[:1], *[1] * (len(weight) - 1)):
            result.mismatched.append(layer)
    return result


def config_fields(shapes: Shapes) -> dict[str, Any]:
    """
    Return the fields of [`VitsConfig`] that shapes determine; parts that are missing or damaged determine none.

    Args:
        shapes (`Mapping[str, Shape]`):
            By tensor name, in any format of weight norm.
    """
    fields = _fields(_Layers(layer_shapes(shapes).shapes, strict=False))
    return {name: value for name, value in fields.items() if isinstance(value, bool) or value not in (None, 0, [])}


def decoder_fields(shapes: Shapes) -> dict[str, Any]:
    """Return the fields of the decoder; raises `ValueError` if a part of it is missing or damaged."""
    return _decoder(_Layers(layer_shapes(shapes).shapes, strict=True))


def undetermined_fields(shapes: Shapes) -> list[str]:
    """Return the fields that shapes do not determine, and for which no default will do."""
    return ["sampling_rate", *_undetermined_of_decoder(shapes)]


def _undetermined_of_decoder(shapes: Shapes) -> list[str]:
    found = fields_from_shapes(_decoder_shapes(layer_shapes(shapes).shapes))
    return ["decoder"] if found is None else found[1]


def infer_config(shapes: Shapes, **known: Any) -> VitsConfig:
    """
    Infer the configuration of a checkpoint of another project.

    Args:
        shapes (`Mapping[str, Shape]`):
            By tensor name of this package, in any format of weight norm.
        known:
            Fields of [`VitsConfig`] that shapes do not determine, and any others; they take precedence over inferred
            ones. So do fields of the decoder, such as `upsample_rates` and `resblock_dilation_sizes`.

    Raises:
        ValueError: if a part of the generator is missing, if its parts do not fit each other, or if a field is not
            known that shapes do not determine.
    """
    fields = _fields(_Layers(layer_shapes(shapes).shapes, strict=True)) | {"layerdrop": 0.0} | known
    if fields.get("decoder"):
        names = [item.name for item in dataclass_fields(DECODERS[fields["decoder"]["type"]].config_class)]
        own = {name: fields.pop(name) for name in names if name in known}
        fields["decoder"] = {**fields["decoder"], **own}
    if missing := [name for name in _undetermined_of_decoder(shapes) if name not in known and "decoder" not in known]:
        raise ValueError(f"The tensors do not determine {listed(missing)} of the decoder, which must be given.")
    try:
        return VitsConfig(**fields)
    except (StrictDataclassError, ValueError) as error:
        raise ValueError(f"The parts of the file do not make a VITS model. {error.__cause__ or error}") from error


class _Layers:
    """Sizes of layers; what is missing or damaged is an error if `strict`, and otherwise `None` or 0."""

    def __init__(self, shapes: Shapes, strict: bool):
        self.shapes, self.strict = shapes, strict

    def __contains__(self, name: str) -> bool:
        return name in self.shapes

    def any(self, prefix: str) -> bool:
        """Return whether the name of any tensor begins so."""
        return any(name.startswith(prefix) for name in self.shapes)

    def weight(self, layer: str, dims: int) -> Shape | tuple[None, ...]:
        """Return the shape of a layer's weight."""
        return self.tensor(f"{layer}.weight", dims)

    def tensor(self, name: str, dims: int) -> Shape | tuple[None, ...]:
        """Return the shape of a tensor with so many dimensions."""
        shape = self.shapes.get(name)
        if shape is not None and len(shape) == dims and 0 not in shape:
            return shape
        if not self.strict:
            return (None,) * dims
        original = original_name(name)
        if shape is None:
            raise ValueError(
                f"The file has no {original}; every VITS generator has one. Is it another model, or a discriminator?"
            )
        raise ValueError(
            f"{original} has the shape {list(shape)}, but a VITS generator's has {dims} dimensions, none of them 0. "
            "The file is damaged, or of another model."
        )

    def count(self, prefix: str, present: str = "") -> int:
        """Return the number of layers with that prefix, numbered from 0; `present` is one that counts as present."""
        pattern = re.escape(prefix) + r"\.(\d+)\."
        names = {match[1]: name for name in [*self.shapes, present] if (match := re.match(pattern, name))}
        found = next(number for number in range(len(names) + 1) if str(number) not in names)
        if self.strict and found < len(names):
            odd = original_name(names[max(names, key=lambda number: (len(number), number))])
            raise ValueError(
                f"The file has {odd[:60]!r} but not number {found} of the same layers; it is damaged, or of another "
                "model."
            )
        return found


def _fields(layers: _Layers) -> dict[str, Any]:
    return {
        **_text_encoder(layers),
        **_decoder(layers),
        **_durations(layers),
        **_flow(layers),
        **_posterior_encoder(layers),
        **_embeddings(layers),
    }


def _text_encoder(layers: _Layers) -> dict[str, Any]:
    first = f"{ENCODER}.0"
    vocab, hidden = layers.weight("text_encoder.embed_tokens", 2)
    ffn, _, kernel = layers.weight(f"{first}.feed_forward.conv_1", 3)
    fields = {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_hidden_layers": layers.count(ENCODER),
        "ffn_dim": ffn,
        "ffn_kernel_size": kernel,
        "flow_size": (layers.weight("text_encoder.project", 3)[0] or 0) // 2,
    }
    if layers.strict or f"{first}.attention.q_proj.weight" in layers:
        fields["use_bias"] = f"{first}.attention.q_proj.bias" in layers
    if layers.any(f"{first}.attention.emb_rel_k"):
        _, rows, size = layers.tensor(f"{first}.attention.emb_rel_k", 3)
        if hidden and rows:
            width = hidden + (layers.shapes.get("embed_language.weight", (0, 0))[1:] or (0,))[0]
            fields |= {"window_size": (rows - 1) // 2, "num_attention_heads": width // size}
    elif layers.strict:
        fields["window_size"] = None
    return fields | {"text_encoder": TextEncoderConfig.from_shapes(layers.shapes, fields["num_hidden_layers"])}


def _decoder_shapes(shapes: Shapes) -> dict[str, Shape]:
    prefix = "decoder."
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}


def _decoder(layers: _Layers) -> dict[str, Any]:
    own = _decoder_shapes(layers.shapes)
    found, _ = fields_from_shapes(own) or ({}, [])
    if layers.strict and own and not found:
        raise ValueError(
            f"No decoder has the tensors {listed(sorted(own))}. Registered: {', '.join(DECODERS)}. If it is part of "
            "another package, import the module that registers it first."
        )
    if layers.strict and "decoder" not in found:
        _check_hifigan(layers)
    return found


def _check_hifigan(layers: _Layers) -> None:
    """Raise `ValueError` for layers that are missing or damaged."""
    stages, blocks = layers.count("decoder.upsampler"), layers.count("decoder.resblocks")
    if stages == 0 or blocks == 0 or blocks % stages:
        raise ValueError(f"The decoder has {stages} upsamplings and {blocks} residual blocks; each needs as many.")
    first = "convs.0" if layers.any("decoder.resblocks.0.convs.") else "convs1.0"
    for layer in (
        "conv_pre",
        *(f"upsampler.{stage}" for stage in range(stages)),
        *(f"resblocks.{block}.{first}" for block in range(blocks // stages)),
    ):
        layers.weight(f"decoder.{layer}", 3)


def _durations(layers: _Layers) -> dict[str, Any]:
    if "duration_predictor.conv_1.weight" in layers:
        channels, _, kernel = layers.weight("duration_predictor.conv_1", 3)
        return {
            "use_stochastic_duration_prediction": False,
            "duration_predictor_filter_channels": channels,
            "duration_predictor_kernel_size": kernel,
        }
    if not layers.strict and "duration_predictor.conv_pre.weight" not in layers:
        return {}
    # Flow 0 is affine; only training uses flow 1, which may be missing.
    flows = layers.count("duration_predictor.flows", present="duration_predictor.flows.1.") - 1
    bins = layers.weight(f"duration_predictor.flows.{flows}.conv_proj", 3)[0]
    return {
        "use_stochastic_duration_prediction": True,
        "duration_predictor_kernel_size": layers.weight("duration_predictor.conv_dds.convs_dilated.0", 3)[2],
        "depth_separable_num_layers": layers.count("duration_predictor.conv_dds.convs_dilated"),
        "duration_predictor_num_flows": flows,
        "duration_predictor_flow_bins": bins and (bins + 1) // 3,
    }


def _flow(layers: _Layers) -> dict[str, Any]:
    transformers = layers.count(PRE_TRANSFORMER)
    size = (layers.weight("text_encoder.project", 3)[0] or 0) // 2
    return {
        "flow": FlowConfig.from_shapes(layers.shapes, transformers, size),
        "prior_encoder_num_flows": layers.count("flow.flows"),
        "prior_encoder_num_wavenet_layers": layers.count("flow.flows.0.wavenet.in_layers"),
        "wavenet_kernel_size": layers.weight("flow.flows.0.wavenet.in_layers.0", 3)[2],
    }


def _posterior_encoder(layers: _Layers) -> dict[str, Any]:
    if not layers.any("posterior_encoder."):
        return {"inference_only": True} if layers.strict else {}
    return {
        "spectrogram_bins": layers.weight("posterior_encoder.conv_pre", 3)[1],
        "posterior_encoder_num_wavenet_layers": layers.count("posterior_encoder.wavenet.in_layers"),
    }


def _embeddings(layers: _Layers) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "embed_language.weight" in layers:
        languages, size = layers.weight("embed_language", 2)
        fields = {"num_languages": languages, "language_embedding_size": size}
    if "embed_speaker.weight" in layers:
        speakers, size = layers.weight("embed_speaker", 2)
        return fields | {"num_speakers": speakers, "speaker_embedding_size": size}
    layer = "flow.flows.0.wavenet.cond_layer"
    return fields | {"speaker_embedding_size": layers.weight(layer, 3)[1] if f"{layer}.weight" in layers else 0}
