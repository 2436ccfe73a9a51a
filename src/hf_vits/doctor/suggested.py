"""What the shapes of a voice's tensors say of its configuration; strides and dilations leave no trace in them."""

import re
from collections.abc import Mapping
from typing import Any

from hf_vits.doctor.layers import Shape

Shapes = Mapping[str, Shape]

ENCODER = "text_encoder.encoder.layers"


def suggested_fields(shapes: Shapes) -> dict[str, Any]:
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
