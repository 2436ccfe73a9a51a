"""A table of one speaker, which no voice here has: its vector worked into the biases of the layers that see it."""

import re
from collections.abc import Mapping

from torch import Tensor

from hf_vits.modules.weight_norm import respell

TABLE = "emb_g.weight"

Tensors = dict[str, Tensor]


def fold_only_speaker(tensors: Mapping[str, Tensor]) -> tuple[Tensors, tuple[str, ...]]:
    """
    A voice with one row in its table of speakers -> one that knows no speakers and sounds the same, and a note.

    The vector is a constant, and what layers make of it a part of the biases that it is added to.

    Raises:
        ValueError: if that cannot be, in the plain duration predictor, which sees zeros beyond the ends of the text.
    """
    vector = tensors[TABLE].float()[0][:, None]
    layers = [match[1] for name in tensors if (match := re.fullmatch(r"(.*\bcond(?:_layer)?)\.bias", name))]
    tensors = respell(tensors, [f"{layer}.weight" for layer in layers])
    folded = {name: tensor for name, tensor in tensors.items() if name != TABLE}
    for layer in layers:
        weight, bias = folded.pop(f"{layer}.weight").float().squeeze(-1), folded.pop(f"{layer}.bias").float()
        targets, shift = _biases(folded, layer), (weight @ vector).squeeze(-1) + bias
        if not targets and (weight.any() or bias.any()):
            raise ValueError(
                "This voice has one speaker with a vector, and a plain duration predictor that sees it; such a voice "
                "cannot be expressed here. Train it further with two speakers, or without a speaker table."
            )
        parts = shift.unflatten(0, (len(targets), -1)) if targets else ()
        for target, part in zip(targets, parts, strict=True):
            folded[target] = folded[target].float() + part
    note = "It has one speaker, whose vector became a part of the biases: the voice sounds the same without a table."
    return folded, (note,)


def _biases(tensors: Tensors, layer: str) -> list[str]:
    """The biases to which the answer of a layer that sees the speaker is added, in the order of its channels."""
    if layer in ("dec.cond", "dp.cond"):
        bias = "dec.conv_pre.bias" if layer == "dec.cond" else "dp.pre.bias"
        return [bias] if bias in tensors else []
    stem = layer.removesuffix("cond_layer")
    layers = [name for name in tensors if re.fullmatch(re.escape(stem) + r"in_layers\.\d{1,4}\.bias", name)]
    return sorted(layers, key=lambda name: int(name.split(".")[-2]))
