"""Whether the tensors are those of the configuration, and of a type that can be loaded."""

import re
from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor

from hf_vits.doctor.findings import Diagnostic, error, note, warning
from hf_vits.doctor.fixes import json_changed, saved_again
from hf_vits.doctor.voice_folder import AGAIN, Folder, Tensors
from hf_vits.hub.state_dict import TRAINING_ONLY
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V, has_zero_filter
from hf_vits.utils.formatting import listed, quoted

OF_THIS_CONFIG = f"Check that config.json belongs to these weights. {AGAIN}"

FLOATS = {"F32": "float32", "F64": "float64", "F16": "float16", "BF16": "bfloat16"}


def check_tensors(folder: Folder) -> Iterator[Diagnostic]:
    """Missing and unexpected tensors, shapes, and fields of the configuration that the tensors contradict."""
    fit = folder.fit
    if fit is None:
        return
    yield from _contradicted(folder)
    yield from _missing(folder)
    yield from _unexpected(folder)
    if fit.misshaped:
        words = [f"{name} is {list(has)}, not {list(wanted)}" for name, (has, wanted) in fit.misshaped.items()]
        text = f"Tensors of another shape than config.json asks for ({len(words)}): {listed(words)}."
        yield error("weights.shape", text, OF_THIS_CONFIG, names=sorted(fit.misshaped))


def _contradicted(folder: Folder) -> Iterator[Diagnostic]:
    fit = folder.fit
    if fit.differs:
        fields = {name: told for name, (_, told) in fit.differs.items()}
        words = "; ".join(
            f"`{name}` is {quoted(said)}, the weights have {told}" for name, (said, told) in fit.differs.items()
        )
        command = json_changed(folder.path / "config.json", **fields)
        yield error(
            "config.disagrees",
            f"config.json is not that of these weights: {words}.",
            "Correct it.",
            command,
            weights=fields,
        )


def _missing(folder: Folder) -> Iterator[Diagnostic]:
    fit = folder.fit
    training = [name for name in fit.missing if name.startswith(TRAINING_ONLY)]
    if training and len(training) == len(fit.missing):
        yield error(
            "weights.training_only_missing",
            f"Tensors are missing that only training uses ({len(training)}): {listed(training)}. The voice can speak, "
            "but its configuration says that they are there.",
            "Say `inference_only` in its configuration.",
            saved_again(folder.path, inference_only=True),
            names=training,
        )
    elif fit.missing:
        which = f"{len(fit.missing)}, of which only training uses {len(training)}"
        text = f"Tensors are missing ({which}): {listed(fit.missing)}."
        yield error("weights.missing", text, AGAIN, names=fit.missing)


def check_types(folder: Folder) -> Iterator[Diagnostic]:
    """The numbers' types, of which a voice has one."""
    if folder.tensors is None:
        return
    types = folder.tensors.types
    odd = sorted(name for name, kind in types.items() if kind not in FLOATS)
    if odd:
        named = [f"{name} is {types[name]}" for name in odd]
        text = f"Tensors that are no floating-point numbers of 16 to 64 bits ({len(odd)}): {listed(named)}."
        yield error("weights.type", text, AGAIN, names=odd)
    counts = Counter(FLOATS[kind] for name, kind in types.items() if kind in FLOATS)
    again = saved_again(folder.path, ".float()")
    if len(counts) > 1:
        words = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        text = f"The tensors are of more than one type ({words}); a voice has one."
        yield warning("weights.mixed_types", text, "Save it again in float32.", again, types=dict(counts))
    elif (kind := next(iter(counts), "float32")) != "float32":
        why = (
            "twice the size for nothing"
            if kind == "float64"
            else "half the size; on a CPU it speaks slower, and training turns it into float32"
        )
        yield note(
            "weights.stored_type",
            f"The tensors are {kind}: {why}.",
            "Save it again in float32, if you like.",
            again,
            type=kind,
        )


def _unexpected(folder: Folder) -> Iterator[Diagnostic]:
    fit = folder.fit
    training = [name for name in fit.unexpected if name.startswith(TRAINING_ONLY)]
    if fit.config.inference_only and training:
        yield note(
            "weights.training_parts_unused",
            f"Left out, as the configuration says `inference_only`: {len(training)} tensors that only training uses.",
            "If they are whole, the voice can be trained without it.",
            saved_again(folder.path, inference_only=False),
        )
    others = [name for name in fit.unexpected if not (fit.config.inference_only and name in set(training))]
    if others:
        text = f"Tensors of no layer of this configuration ({len(others)}): {listed(others)}."
        yield error("weights.unexpected", text, OF_THIS_CONFIG, names=others)


PIECE = 4_000_000
"""Numbers looked at in one go."""

STARTS_AS_ZERO = re.compile(
    r"flow\.flows\.\d+\.conv_post\.(weight|bias)"
    r"|duration_predictor\.(post_)?flows\.\d+\.(conv_proj\.(weight|bias)|translate|log_scale)"
)
"""Tensors that are zeros in a new model and that every step of training moves."""

LAYER_NORM = re.compile(r"(?:text_encoder|duration_predictor)\..*norm.*\.weight")
"""Gains that are ones in a new model."""

SEES_SPEAKER = re.compile(r".*\bcond(_layer)?\.")
"""Layers that answer nothing to any speaker until a voice with new speakers is trained."""


def check_values(folder: Folder, tensors: Tensors) -> Iterator[Diagnostic]:
    """Looks at every number once, one tensor in memory at a time."""
    broken, dead, constant, untrained = [], [], [], []
    for name, tensor in tensors.values():
        if not tensor.dtype.is_floating_point or tensor.numel() == 0:
            continue
        if not all(bool(torch.isfinite(piece).all()) for piece in _pieces(tensor)):
            broken.append(name)
        elif STARTS_AS_ZERO.fullmatch(name) and _is(tensor, 0) or LAYER_NORM.fullmatch(name) and _is(tensor, 1):
            untrained.append(name)
        elif name.endswith((OLD_V, NEW_V)) and has_zero_filter(tensor):
            dead.append(name)
        elif _may_not_be_constant(name, tensor) and _is(tensor, tensor.flatten()[0].item()):
            constant.append(name)
    if broken:
        text = f"Tensors with NaN or infinity ({len(broken)}): {listed(broken)}. Damage, or a training that diverged."
        yield error("values.not_finite", text, "Take an earlier checkpoint, or fetch the file again.", names=broken)
    if dead:
        text = f"Weights with filters of zeros alone, which weight norm divides by ({len(dead)}): {listed(dead)}."
        yield error("values.zero_filter", text, AGAIN, names=dead)
    if constant:
        text = f"Weights of one number throughout, as no trained ones are ({len(constant)}): {listed(constant)}."
        yield warning("values.constant", text, AGAIN, names=constant)
    if untrained:
        text = (
            f"Tensors exactly as a new model has them ({len(untrained)}): {listed(untrained)}. Their layers were never "
            "trained, or were started anew by a faulty loading before the voice was saved."
        )
        yield warning(
            "values.untrained", text, "Take the weights as they were trained; or train these.", names=untrained
        )


def _may_not_be_constant(name: str, tensor: Tensor) -> bool:
    if name.endswith((OLD_G, NEW_G)) or SEES_SPEAKER.match(name) or STARTS_AS_ZERO.fullmatch(name):
        return False
    return tensor.dim() >= 2 and tensor.numel() > 1


def _pieces(tensor: Tensor) -> Iterator[Tensor]:
    yield from tensor.reshape(-1).split(PIECE)


def _is(tensor: Tensor, value: float) -> bool:
    return all(bool((piece == value).all()) for piece in _pieces(tensor))


AS_WRITTEN = "hf_vits reads every spelling, and writes that of stock transformers: save the voice again."


def check_weight_norm(folder: Folder) -> Iterator[Diagnostic]:
    """Pairs that are no pairs; spellings in which stock transformers would start layers anew."""
    layers = folder.layers
    if layers.halves:
        text = (
            f"Tensors of weight norm without the other of their pair ({len(layers.halves)}): {listed(layers.halves)}."
        )
        yield error("weights.norm_half", text, AGAIN, names=layers.halves)
    if layers.twice:
        text = f"Layers stored twice, in two spellings of weight norm ({len(layers.twice)}): {listed(layers.twice)}."
        yield error(
            "weights.norm_twice",
            text,
            "Remove one of the two, that which training no longer changed.",
            names=layers.twice,
        )
    if layers.unfit:
        text = f"Layers whose weight norm has a g that does not fit v ({len(layers.unfit)}): {listed(layers.unfit)}."
        yield error("weights.norm_shape", text, AGAIN, names=layers.unfit)
    if folder.config is None or not folder.config.needs_extension:  # others stock transformers does not load at all
        yield from _for_stock(folder)


def _for_stock(folder: Folder) -> Iterator[Diagnostic]:
    layers, again = folder.layers, saved_again(folder.path)
    old, new, plain = (layers.spelt(way, normed=True) for way in ("old", "new", "plain"))
    if old:
        mixed = f" ({len(new)} have parametrizations.weight.original0 and 1)" if new else ""
        text = (
            f"Layers of the WaveNets spell their weight norm weight_g and weight_v: {len(old)}{mixed}. Some stock "
            "transformers below 4.57 with torch 2.1 or newer, such as 4.44.2, start these layers anew without an "
            "error, and speak noise; 4.57.6 and 5.x read them."
        )
        yield warning("weights.norm_old", text, AS_WRITTEN, again, old=len(old), new=len(new))
    if plain:
        text = (
            f"Layers of the WaveNets stored without weight norm ({len(plain)}): {listed(plain)}. Stock transformers "
            "starts them anew, and speaks noise."
        )
        yield warning("weights.norm_folded", text, AS_WRITTEN, again, names=plain)
    elsewhere = sorted({*layers.spelt("old", normed=False), *layers.spelt("new", normed=False)})
    if elsewhere:
        text = (
            f"Layers elsewhere than in WaveNets with weight norm, as finetune-hf-vits trains them ({len(elsewhere)}): "
            f"{listed(elsewhere)}. Stock transformers holds them without, starts them anew, and speaks noise."
        )
        yield warning("weights.norm_elsewhere", text, AS_WRITTEN, again, names=elsewhere)
