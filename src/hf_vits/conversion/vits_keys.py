"""Tensor names of the original repository, which MMS and Piper share: to ours and back."""

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from hf_vits.conversion.key_mapping import Rule, translate
from hf_vits.hub.state_dict import TRAINING_ONLY

ROOTS = ("enc_p", "enc_q", "dec", "flow", "dp", "emb_g")
"""First part of the name of every tensor of a generator."""

SPEAKER_LAYER = "text_encoder.cond"
"""A linear layer in VITS2's checkpoints, and a convolution of kernel 1 here."""

UNUSED = (r"flow\.flows\.\d+\.post_transformer\.", "which the code of VITS2 has and never runs")
"""Layers of VITS2's checkpoints that nothing is computed with."""

CONSTANT = (r"dec\.updown_filter$", "a constant")
"""What MB-iSTFT-VITS stores to put zeros between samples."""

MODULES = (
    # Text encoder
    ("enc_p.emb", "text_encoder.embed_tokens"),
    ("enc_p.proj", "text_encoder.project"),
    ("enc_p.encoder.spk_emb_linear", SPEAKER_LAYER),
    # Transformers of the text encoder, and of the flow in VITS2
    *(
        (f"{original}.{part}", f"{ours}.layers.N.{name}")
        for original, ours in (
            ("enc_p.encoder", "text_encoder.encoder"),
            ("flow.flows.E.pre_transformer", "flow.flows.E.pre_transformer"),
        )
        for part, name in (
            ("attn_layers.N.conv_o", "attention.out_proj"),
            ("attn_layers.N.conv_X", "attention.X_proj"),
            ("attn_layers.N.emb_rel_X", "attention.emb_rel_X"),
            ("ffn_layers.N", "feed_forward"),
            ("norm_layers_1.N", "layer_norm"),
            ("norm_layers_2.N", "final_layer_norm"),
        )
    ),
    # Posterior encoder and decoder
    ("enc_q.pre", "posterior_encoder.conv_pre"),
    ("enc_q.proj", "posterior_encoder.conv_proj"),
    ("enc_q.enc", "posterior_encoder.wavenet"),
    ("dec.ups", "decoder.upsampler"),
    *((f"dec.{part}", f"decoder.{part}") for part in ("conv_pre", "conv_post", "cond", "resblocks")),
    *((f"dec.{part}", f"decoder.{part}") for part in ("subband_conv_post", "multistream_conv_post")),
    ("emb_g", "embed_speaker"),
    # Flow
    ("flow.flows.E.pre", "flow.flows.E.conv_pre"),
    ("flow.flows.E.post", "flow.flows.E.conv_post"),
    ("flow.flows.E.enc", "flow.flows.E.wavenet"),
    # Duration predictor: deterministic, then stochastic
    *((f"dp.{part}", f"duration_predictor.{part}") for part in ("cond", "conv_1", "conv_2", "norm_1", "norm_2")),
    ("dp.proj", "duration_predictor.proj"),
    ("dp.pre", "duration_predictor.conv_pre"),
    ("dp.proj", "duration_predictor.conv_proj"),
    ("dp.convs", "duration_predictor.conv_dds"),
    ("dp.post_pre", "duration_predictor.post_conv_pre"),
    ("dp.post_proj", "duration_predictor.post_conv_proj"),
    ("dp.post_convs", "duration_predictor.post_conv_dds"),
    *(
        (f"dp.{flows}.{original}", f"duration_predictor.{flows}.{ours}")
        for flows in ("flows", "post_flows")
        for original, ours in (
            ("0.m", "0.translate"),
            ("0.logs", "0.log_scale"),
            ("O.pre", "O.conv_pre"),
            ("O.proj", "O.conv_proj"),
            ("O.convs", "O.conv_dds"),
        )
    ),
)
"""
Each module or parameter as the original repository calls it, and as it is called here.

N is a number; X is q, k or v. The original counts the reversals between couplings as layers: E is a number that is
twice ours, and O is twice ours less one.
"""

PLACEHOLDERS = {
    "N": (r"(\d{1,4})", r"(\d{1,4})", str, str),
    "X": (r"([qkv])", r"([qkv])", str, str),
    "E": (r"(\d{0,3}[02468])", r"(\d{1,4})", lambda n: str(int(n) // 2), lambda n: str(2 * int(n))),
    "O": (r"(\d{0,3}[13579])", r"([1-9]\d{0,3})", lambda n: str(int(n) // 2 + 1), lambda n: str(2 * int(n) - 1)),
}
"""What each letter matches in an original name and in ours, and how its value is converted to ours and back."""

SEPARABLE = (("convs_sep", "convs_dilated"), ("convs_1x1", "convs_pointwise"))
"""Parts of a depth-separable convolution: original and ours."""

PARAMETERS = (".weight", ".weight_v", ".parametrizations.weight.original1")
"""Tensors that have the shape of a layer's weight."""


def _rule(names: tuple[str, str], direction: int) -> Rule:
    """Return the rule that rewrites `names[direction]` as the other name."""
    source, target = names[direction], names[1 - direction]
    letters = [PLACEHOLDERS[letter] for letter in source if letter in PLACEHOLDERS]
    pattern = "".join(
        PLACEHOLDERS[letter][direction] if letter in PLACEHOLDERS else re.escape(letter) for letter in source
    )

    def replacement(match: re.Match) -> str:
        pairs = zip(letters, match.groups(), strict=True)
        values = iter([letter[2 + direction](value) for letter, value in pairs])
        return "".join(next(values) if letter in PLACEHOLDERS else letter for letter in target)

    return rf"^{pattern}(?=\.|$)", replacement


DETERMINISTIC = ("dp.proj", "duration_predictor.proj")

RULES: tuple[Rule, ...] = (
    *(_rule(names, 0) for names in MODULES if names != DETERMINISTIC),
    *((rf"\.{original}\.", f".{ours}.") for original, ours in SEPARABLE),
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
)
"""Rename original tensors; those of a deterministic duration predictor need `DETERMINISTIC` before."""

NORM = r"(\.norms?_(?:layers_)?[12](?:\.\d+)?)"

ORIGINAL_NAME_RULES: tuple[Rule, ...] = (
    *(_rule(names, 1) for names in MODULES),
    *((rf"\.{ours}\.", f".{original}.") for original, ours in SEPARABLE),
    (NORM + r"\.weight$", r"\1.gamma"),
    (NORM + r"\.bias$", r"\1.beta"),
)


def original_name(name: str) -> str:
    """Return the original name of a generator's parameter."""
    for pattern, replacement in ORIGINAL_NAME_RULES:
        name = re.sub(pattern, replacement, name, count=1)
    return name


def rename_tensors(
    tensors: Mapping[str, Tensor], inference_only: bool = False
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """
    Give tensors their names and shapes in this package.

    Args:
        tensors (`Mapping[str, Tensor]`):
            By original name.
        inference_only (`bool`, *optional*, defaults to `False`):
            Leave out the tensors that only training uses. Always so if there is no posterior encoder.

    Returns:
        The tensors, and a note on those that were left out.

    Raises:
        ValueError: if a name is not known, or two names become the same.
    """
    inference_only = inference_only or not any(name.startswith("enc_q.") for name in tensors)
    dropped = [(re.escape(prefix), "used in training only") for prefix in TRAINING_ONLY if inference_only]
    renamed, notes = translate(tensors, rules_for(tensors), [*dropped, UNUSED, CONSTANT])
    for name, tensor in renamed.items():
        if re.search(r"\.attention\.\w+_proj\.weight$", name) and tensor.dim() == 3 and tensor.shape[-1] == 1:
            renamed[name] = tensor.squeeze(-1)  # a convolution of kernel 1 there, a linear layer here
        elif name == f"{SPEAKER_LAYER}.weight" and tensor.dim() == 2:
            renamed[name] = tensor.unsqueeze(-1)
    return renamed, notes


def rules_for(names: Collection[str]) -> tuple[Rule, ...]:
    """Return the rules for a checkpoint with these original names."""
    is_deterministic = any(f"dp.conv_1{parameter}" in names for parameter in PARAMETERS)
    return (_rule(DETERMINISTIC, 0), *RULES) if is_deterministic else RULES


def count_layers(names: Collection[str], pattern: str) -> int:
    """
    Count layers by the numbers that `pattern` captures at the start of their names.

    Args:
        names (`Collection[str]`):
            Names of tensors or modules.
        pattern (`str`):
            A regular expression whose group is the layer's number.

    Raises:
        ValueError: if a number below the highest one is missing; so a file cannot claim more layers than it has.
    """
    found = {match[1]: match[0] for name in names if (match := re.match(pattern, name))}
    missing = next((number for number in range(len(found)) if str(number) not in found), None)
    if missing is not None:
        odd = max(found, key=lambda number: (len(number), number))
        raise ValueError(
            f"The file has {found[odd][:60]!r} but not number {missing} of the same layers; it is damaged, or of "
            "another model."
        )
    return len(found)
