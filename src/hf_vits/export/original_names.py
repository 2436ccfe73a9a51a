"""Our names of parameters to the original repository's, which Piper and MMS share: `conversion.original` reversed."""

import re

_LAYER = r"^text_encoder\.encoder\.layers\.(\d+)\."
_THEIR_LAYER = "enc_p.encoder."

RULES = (
    # Text encoder
    (r"^text_encoder\.embed_tokens\.", "enc_p.emb."),
    (r"^text_encoder\.project\.", "enc_p.proj."),
    (_LAYER + r"attention\.out_proj\.", _THEIR_LAYER + r"attn_layers.\1.conv_o."),
    (_LAYER + r"attention\.([qkv])_proj\.", _THEIR_LAYER + r"attn_layers.\1.conv_\2."),
    (_LAYER + r"attention\.", _THEIR_LAYER + r"attn_layers.\1."),
    (_LAYER + r"feed_forward\.", _THEIR_LAYER + r"ffn_layers.\1."),
    (_LAYER + r"layer_norm\.", _THEIR_LAYER + r"norm_layers_1.\1."),
    (_LAYER + r"final_layer_norm\.", _THEIR_LAYER + r"norm_layers_2.\1."),
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
    for pattern, replacement in RULES:
        name = re.sub(pattern, replacement, name, count=1)
    return name
