"""The original repository's names, which MMS and Piper share: the way to ours, and the architecture shapes tell."""

import re
from collections.abc import Collection, Mapping
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.key_mapping import Rule, translate
from hf_vits.hub.state_dict import TRAINING_ONLY

ROOTS = ("enc_p", "enc_q", "dec", "flow", "dp", "emb_g")
"""First part of the name of every tensor of a generator."""

_LAYER = r"^enc_p\.encoder\."
_OUR_LAYER = r"text_encoder.encoder.layers.\1."
_FLOW = r"(posterior_encoder|flow\.flows\.\d+|duration_predictor(?:\.(?:post_)?flows\.\d+)?)"

RULES: tuple[Rule, ...] = (
    # Names of parameters
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
    # Text encoder
    (r"^enc_p\.emb\.", "text_encoder.embed_tokens."),
    (r"^enc_p\.proj\.", "text_encoder.project."),
    (_LAYER + r"attn_layers\.(\d+)\.conv_o\.", _OUR_LAYER + "attention.out_proj."),
    (_LAYER + r"attn_layers\.(\d+)\.conv_([qkv])\.", _OUR_LAYER + r"attention.\2_proj."),
    (_LAYER + r"attn_layers\.(\d+)\.(emb_rel_[kv])$", _OUR_LAYER + r"attention.\2"),
    (_LAYER + r"ffn_layers\.(\d+)\.", _OUR_LAYER + "feed_forward."),
    (_LAYER + r"norm_layers_1\.(\d+)\.", _OUR_LAYER + "layer_norm."),
    (_LAYER + r"norm_layers_2\.(\d+)\.", _OUR_LAYER + "final_layer_norm."),
    # Boxes
    (r"^enc_q\.", "posterior_encoder."),
    (r"^dec\.ups\.", "decoder.upsampler."),
    (r"^dec\.(?=conv_|cond|resblocks)", "decoder."),
    (r"^dp\.", "duration_predictor."),
    (r"^emb_g\.", "embed_speaker."),
    # The original counts the reversals between couplings as layers
    (r"^flow\.flows\.(\d*[02468])\.", lambda match: f"flow.flows.{int(match[1]) // 2}."),
    (
        r"^duration_predictor\.((?:post_)?flows)\.(0|\d*[13579])\.",
        lambda match: f"duration_predictor.{match[1]}.{(int(match[2]) + 1) // 2}.",
    ),
    (r"^(duration_predictor\.(?:post_)?flows\.0)\.m$", r"\1.translate"),
    (r"^(duration_predictor\.(?:post_)?flows\.0)\.logs$", r"\1.log_scale"),
    # Parts of boxes
    (r"(?<=[._])convs\.(?=convs_|norms_)", "conv_dds."),
    (r"\.convs_sep\.", ".convs_dilated."),
    (r"\.convs_1x1\.", ".convs_pointwise."),
    (r"\.enc\.(?=in_layers|res_skip_layers|cond_layer)", ".wavenet."),
    (rf"^{_FLOW}\.(pre|post|proj)\.", r"\1.conv_\2."),
    (r"^duration_predictor\.post_(pre|proj)\.", r"duration_predictor.post_conv_\1."),
)
"""Original names to ours, for a stochastic duration predictor."""

PLAIN_DURATIONS: tuple[Rule, ...] = ((r"^duration_predictor\.conv_proj\.", "duration_predictor.proj."),)
"""Goes after `RULES` where the duration predictor is the plain one, whose `proj` kept its name."""

PARAMETERS = (".weight", ".weight_v", ".parametrizations.weight.original1")
"""Tensors that have the shape of a layer's weight."""


def rules(names: Collection[str]) -> tuple[Rule, ...]:
    """The renaming rules for a checkpoint with these (original) names."""
    return RULES + PLAIN_DURATIONS if _is_plain(names) else RULES


def unneeded(config: VitsConfig) -> list[tuple[str, str]]:
    """What `to_ours` drops of a voice with this configuration: nothing, or what only training uses."""
    prefixes = TRAINING_ONLY if config.inference_only else ()
    return [(re.escape(prefix), "used in training only") for prefix in prefixes]


def to_ours(tensors: Mapping[str, Tensor], dropped=()) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """tensors by original name -> tensors by our name, in our shapes, and notes; `dropped` as in `keys.translate`."""
    renamed, notes = translate(tensors, rules(tensors), dropped)
    for name, tensor in renamed.items():
        if re.search(r"\.attention\.\w+_proj\.weight$", name) and tensor.dim() == 3 and tensor.shape[-1] == 1:
            renamed[name] = tensor.squeeze(-1)  # a convolution of kernel 1 there, a linear layer here
    return renamed, notes


def infer_config(
    tensors: Mapping[str, Tensor], *, upsample_rates: list[int], resblock_dilation_sizes: list[list[int]], **known: Any
) -> VitsConfig:
    """
    The configuration of a checkpoint with original names.

    Args:
        tensors (`Mapping[str, Tensor]`):
            The generator's tensors by original name.
        upsample_rates, resblock_dilation_sizes:
            Strides and dilations leave no trace in shapes, so the format must tell.
        known:
            Further fields of [`VitsConfig`]; they win over what the shapes say.

    Raises:
        ValueError: if a part of the generator is missing, or the parts do not fit each other.
    """
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    fields = {**_text_encoder(shapes), **decoder(shapes), **_durations(shapes), **_flow(shapes), **_speakers(shapes)}
    if known.get("inference_only") or not any(name.startswith("enc_q.") for name in shapes):
        fields["inference_only"] = True
    else:
        fields |= _posterior_encoder(shapes)
    fields |= {"upsample_rates": upsample_rates, "resblock_dilation_sizes": resblock_dilation_sizes}
    fields["layerdrop"] = 0.0  # which transformers alone has
    try:
        return VitsConfig(**(fields | known))
    except (StrictDataclassError, ValueError) as error:
        raise ValueError(f"The parts of the file do not make a VITS model. {error.__cause__ or error}") from error


def _text_encoder(shapes: Mapping[str, torch.Size]) -> dict[str, Any]:
    vocab, hidden = _shape(shapes, "enc_p.emb", 2)
    ffn, _, kernel = _shape(shapes, "enc_p.encoder.ffn_layers.0.conv_1", 3)
    fields = {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_hidden_layers": count(shapes, r"enc_p\.encoder\.attn_layers\.(\d+)\."),
        "use_bias": "enc_p.encoder.attn_layers.0.conv_q.bias" in shapes,
        "ffn_dim": ffn,
        "ffn_kernel_size": kernel,
        "flow_size": _shape(shapes, "enc_p.proj", 3)[0] // 2,
        "window_size": None,
    }
    if (name := "enc_p.encoder.attn_layers.0.emb_rel_k") in shapes:
        table = _checked(shapes, name, 3)
        fields |= {"window_size": (table[1] - 1) // 2, "num_attention_heads": hidden // table[2]}
    return fields


def decoder(shapes: Mapping[str, torch.Size]) -> dict[str, Any]:
    """What the shapes of tensors with original names say of the decoder."""
    stages, blocks = count(shapes, r"dec\.ups\.(\d+)\."), count(shapes, r"dec\.resblocks\.(\d+)\.")
    if stages == 0 or blocks == 0 or blocks % stages:
        raise ValueError(f"The decoder has {stages} upsamplings and {blocks} residual blocks; each needs as many.")
    kind = "1" if any(name.startswith("dec.resblocks.0.convs1.") for name in shapes) else "2"
    first = "convs1.0" if kind == "1" else "convs.0"
    return {
        "upsample_initial_channel": _shape(shapes, "dec.conv_pre", 3)[0],
        "upsample_kernel_sizes": [_shape(shapes, f"dec.ups.{stage}", 3)[2] for stage in range(stages)],
        "resblock_type": kind,
        "resblock_kernel_sizes": [
            _shape(shapes, f"dec.resblocks.{block}.{first}", 3)[2] for block in range(blocks // stages)
        ],
    }


def _durations(shapes: Mapping[str, torch.Size]) -> dict[str, Any]:
    if _is_plain(shapes):
        channels, _, kernel = _shape(shapes, "dp.conv_1", 3)
        return {
            "use_stochastic_duration_prediction": False,
            "duration_predictor_filter_channels": channels,
            "duration_predictor_kernel_size": kernel,
        }
    # Numbered 0 (affine), 1, 3, 5, …; the 1 may be absent.
    flows = count([*shapes, "dp.flows.1."], r"dp\.flows\.(\d*[13579])\.", first=1, step=2)
    return {
        "use_stochastic_duration_prediction": True,
        "duration_predictor_kernel_size": _shape(shapes, "dp.convs.convs_sep.0", 3)[2],
        "depth_separable_num_layers": count(shapes, r"dp\.convs\.convs_sep\.(\d+)\."),
        "duration_predictor_num_flows": flows,
        "duration_predictor_flow_bins": (_shape(shapes, f"dp.flows.{2 * flows - 1}.proj", 3)[0] + 1) // 3,
    }


def _flow(shapes: Mapping[str, torch.Size]) -> dict[str, Any]:
    return {
        "prior_encoder_num_flows": count(shapes, r"flow\.flows\.(\d+)\.pre\.", step=2),  # reversals lie between
        "prior_encoder_num_wavenet_layers": count(shapes, r"flow\.flows\.0\.enc\.in_layers\.(\d+)\."),
        "wavenet_kernel_size": _shape(shapes, "flow.flows.0.enc.in_layers.0", 3)[2],
    }


def _posterior_encoder(shapes: Mapping[str, torch.Size]) -> dict[str, Any]:
    return {
        "spectrogram_bins": _shape(shapes, "enc_q.pre", 3)[1],
        "posterior_encoder_num_wavenet_layers": count(shapes, r"enc_q\.enc\.in_layers\.(\d+)\."),
    }


def _speakers(shapes: Mapping[str, torch.Size]) -> dict[str, Any]:
    if "emb_g.weight" in shapes:
        speakers, size = _shape(shapes, "emb_g", 2)
        return {"num_speakers": speakers, "speaker_embedding_size": size}
    return {"speaker_embedding_size": _shape(shapes, "dec.cond", 3)[1] if "dec.cond.weight" in shapes else 0}


def _is_plain(names: Collection[str]) -> bool:
    return any(f"dp.conv_1{parameter}" in names for parameter in PARAMETERS)


def _shape(shapes: Mapping[str, torch.Size], layer: str, dims: int) -> torch.Size:
    """The shape of a layer's weight, of so many dimensions, however its weight norm is spelt."""
    for parameter in PARAMETERS:
        if layer + parameter in shapes:
            return _checked(shapes, layer + parameter, dims)
    raise ValueError(
        f"The file has no {layer}.weight; every VITS generator has one. Is it another model, or a discriminator?"
    )


def _checked(shapes: Mapping[str, torch.Size], name: str, dims: int) -> torch.Size:
    shape = shapes[name]
    if len(shape) != dims or 0 in shape:
        raise ValueError(
            f"{name} has the shape {list(shape)}, but a VITS generator's has {dims} dimensions, none of them 0. The "
            "file is damaged, or of another model."
        )
    return shape


def count(names: Collection[str], pattern: str, first: int = 0, step: int = 1) -> int:
    """
    How many layers there are, by the numbers that `pattern` captures at the start of their names.

    Args:
        names (`Collection[str]`):
            Names of tensors or modules.
        pattern (`str`):
            A regular expression; its group is the layer's number.
        first, step (`int`, *optional*, defaults to 0 and 1):
            The layers are numbered `first`, `first + step`, and so on.

    Raises:
        ValueError: if one is left out. So there are never more layers than names, whatever a file says.
    """
    matches = [match for name in names if (match := re.match(pattern, name))]
    found = {match[1]: match[0] for match in matches}
    for index in range(len(found)):
        if str(first + step * index) not in found:
            odd = max(found, key=lambda number: (len(number), number))
            raise ValueError(
                f"The file has {found[odd][:60]!r} but not number {first + step * index} of the same layers; it is "
                "damaged, or of another model."
            )
    return len(found)


_LAYER_NAME = r"^text_encoder\.encoder\.layers\.(\d+)\."
_THEIR_LAYER = "enc_p.encoder."

ORIGINAL_NAME_RULES = (
    # Text encoder
    (r"^text_encoder\.embed_tokens\.", "enc_p.emb."),
    (r"^text_encoder\.project\.", "enc_p.proj."),
    (_LAYER_NAME + r"attention\.out_proj\.", _THEIR_LAYER + r"attn_layers.\1.conv_o."),
    (_LAYER_NAME + r"attention\.([qkv])_proj\.", _THEIR_LAYER + r"attn_layers.\1.conv_\2."),
    (_LAYER_NAME + r"attention\.", _THEIR_LAYER + r"attn_layers.\1."),
    (_LAYER_NAME + r"feed_forward\.", _THEIR_LAYER + r"ffn_layers.\1."),
    (_LAYER_NAME + r"layer_norm\.", _THEIR_LAYER + r"norm_layers_1.\1."),
    (_LAYER_NAME + r"final_layer_norm\.", _THEIR_LAYER + r"norm_layers_2.\1."),
    # Boxes
    (r"^posterior_encoder\.", "enc_q."),
    (r"^decoder\.upsampler\.", "dec.ups."),
    (r"^decoder\.", "dec."),
    (r"^duration_predictor\.", "dp."),
    (r"^embed_speaker\.", "emb_g."),
    # The original counts the reversals between couplings as layers
    (r"^flow\.flows\.(\d+)\.", lambda match: f"flow.flows.{2 * int(match[1])}."),
    (r"^dp\.((?:post_)?flows)\.([1-9]\d*)\.", lambda match: f"dp.{match[1]}.{2 * int(match[2]) - 1}."),
    (r"\.translate$", ".m"),
    (r"\.log_scale$", ".logs"),
    # Parts of boxes
    (r"conv_dds\.", "convs."),
    (r"\.convs_dilated\.", ".convs_sep."),
    (r"\.convs_pointwise\.", ".convs_1x1."),
    (r"\.wavenet\.", ".enc."),
    (r"^((?:enc_q|flow|dp)\..*?)conv_(pre|post|proj)\.", r"\1\2."),
    # Names of parameters
    (r"(\.norms?_(?:layers_)?[12](?:\.\d+)?)\.weight$", r"\1.gamma"),
    (r"(\.norms?_(?:layers_)?[12](?:\.\d+)?)\.bias$", r"\1.beta"),
)
"""Applied one after the other, each where it matches."""


def original_name(name: str) -> str:
    """The original name of a generator's parameter."""
    for pattern, replacement in ORIGINAL_NAME_RULES:
        name = re.sub(pattern, replacement, name, count=1)
    return name
