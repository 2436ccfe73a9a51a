"""Checks of the weights: names and shapes against the configuration, types, weight norm, and values."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor

from hf_vits.conversion.tensor_table import DTYPES, TensorTable
from hf_vits.doctor.diagnostics import Diagnostic, counted, error, note, warning
from hf_vits.doctor.fixes import EditJson, SaveCopy, resave
from hf_vits.doctor.model_folder import REFETCH, ModelFolder
from hf_vits.hub.model_files import CONFIG
from hf_vits.hub.state_dict import TRAINING_ONLY
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V, has_zero_filter
from hf_vits.utils.formatting import listed, quoted

CHECK_CONFIG = f"Check that config.json belongs to these weights. {REFETCH}"

RESAVE = "hf_vits reads every format of weight norm, and writes that of transformers: save the model anew."

CHUNK = 4_000_000
"""Numbers that are looked at in one go."""

INITIALLY_ZERO = re.compile(
    r"flow\.flows\.\d+\.conv_post\.(weight|bias)"
    r"|duration_predictor\.(post_)?flows\.\d+\.(conv_proj\.(weight|bias)|translate|log_scale)"
)
"""Tensors that are zeros in a new model and that every step of training changes."""

LAYER_NORM = re.compile(r"(?:text_encoder|flow|duration_predictor)\..*norm.*\.weight")
"""Gains that are ones in a new model."""

SPEAKER_CONDITIONING = re.compile(r".*\bcond(_layer)?\.")
"""Layers whose output stays zero until a model with new speakers is trained."""

VALUE_FAULTS = {
    "not_finite": (
        error,
        "Tensors with NaN or infinity, from damage or divergence",
        "Use an earlier checkpoint, or download the file again.",
    ),
    "zero_filter": (error, "Weights with filters of zeros, which weight norm divides by", REFETCH),
    "constant": (warning, "Weights of one number throughout, as no trained ones are", REFETCH),
    "untrained": (
        warning,
        "Tensors exactly as in a new model, never trained or initialized anew by faulty loading before they were saved",
        "Use the trained weights, or train these.",
    ),
}
"""Faults of values: severity, message and advice."""


def check_tensors(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check for missing and unexpected tensors, shapes, and fields of the configuration that the weights contradict."""
    match = folder.match
    if match is None:
        return
    if match.differs:
        fields = {name: weights for name, (_, weights) in match.differs.items()}
        values = "; ".join(f"`{name}` is {quoted(a)}, the weights have {b}" for name, (a, b) in match.differs.items())
        message = f"config.json does not belong to these weights: {values}."
        fix = EditJson(CONFIG, fields, automatic=not match.mismatches)
        yield error("config.contradicts_weights", message, "Use the weights' values.", fix=fix, weights=fields)
    yield from _missing(folder)
    yield from _unexpected(folder)
    if match.misshaped:
        words = [f"{name} is {list(has)}, not {list(wanted)}" for name, (has, wanted) in match.misshaped.items()]
        message = counted("Tensors of another shape than config.json asks for", words)
        yield error("weights.shape", message, CHECK_CONFIG, names=sorted(match.misshaped))


def _missing(folder: ModelFolder) -> Iterator[Diagnostic]:
    missing = folder.match.missing
    training = [name for name in missing if name.startswith(TRAINING_ONLY)]
    if training and len(training) == len(missing):
        message = f"{counted('Missing tensors that only training uses', training)} The configuration expects them."
        advice = "Set `inference_only` in its configuration, to generate speech without them."
        fix = resave(folder.path, SaveCopy({"inference_only": True})) if folder.has_config else {}
        yield error("weights.training_only_missing", message, advice, **fix, names=training)
    elif missing:
        message = f"Missing tensors ({len(missing)}, {len(training)} of them only for training): {listed(missing)}."
        yield error("weights.missing", message, REFETCH, names=missing)


def _unexpected(folder: ModelFolder) -> Iterator[Diagnostic]:
    match, inference_only = folder.match, folder.match.config.inference_only
    unused = [name for name in match.unexpected if inference_only and name.startswith(TRAINING_ONLY)]
    if unused:
        message = f"Tensors for training that are not loaded because of `inference_only`: {len(unused)}."
        fix = resave(folder.path, SaveCopy({"inference_only": False}, automatic=False))
        yield note("weights.training_only_unused", message, "Without it, the model can be trained.", **fix)
    if others := sorted({*match.unexpected} - {*unused}):
        message = counted("Tensors that belong to no layer of this configuration", others)
        yield error("weights.unexpected", message, CHECK_CONFIG, names=others)


def check_types(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check that all weights have one floating-point type, or those of a voice that is saved with a decoder in half
    precision."""
    if folder.tensors is None:
        return
    dtypes = {short: dtype for dtype, short in DTYPES.items()}
    types, names = folder.tensors.dtypes, {short: str(dtype).removeprefix("torch.") for short, dtype in dtypes.items()}
    if invalid := sorted(name for name, kind in types.items() if kind not in names):
        words = [f"{name} is {types[name]}" for name in invalid]
        message = counted("Tensors that are not floating-point numbers of 16 to 64 bits", words)
        yield error("weights.invalid_type", message, REFETCH, names=invalid)
    if not invalid and VitsModel.partly_half({name: dtypes[kind] for name, kind in types.items()}):
        return
    counts = Counter(names[kind] for kind in types.values() if kind in names)
    if len(counts) > 1:
        words = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        fix = resave(folder.path, SaveCopy(float32=True))
        message = f"The tensors have more than one type ({words})."
        yield warning("weights.mixed_types", message, "Save the model in float32.", **fix, types=dict(counts))
    elif (kind := next(iter(counts), "float32")) != "float32":
        effect = "half the size, slower on a CPU, and converted to float32 by training"
        effect = "twice the size without a benefit" if kind == "float64" else effect
        fix = resave(folder.path, SaveCopy(float32=True, automatic=False))
        advice = "You may save the model in float32."
        yield note("weights.not_float32", f"The tensors are {kind}: {effect}.", advice, **fix, type=kind)


def check_weight_norm(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check for incomplete pairs, and for formats whose layers transformers would initialize anew."""
    layers = folder.layers
    if names := layers.unpaired:
        message = counted("Tensors of weight norm without the other of their pair", names)
        yield error("weights.norm_incomplete", message, REFETCH, names=names)
    if names := layers.stored_twice:
        message, advice = counted("Layers stored in two formats", names), "Remove the one that training did not change."
        yield error("weights.norm_duplicated", message, advice, names=names)
    if names := layers.mismatched:
        message = counted("Layers whose weight norm has a g that does not fit v", names)
        yield error("weights.norm_shape", message, REFETCH, names=names)
    if folder.config is None or not folder.config.needs_extension:  # transformers does not load the others at all
        yield from _formats(folder)


def _formats(folder: ModelFolder) -> Iterator[Diagnostic]:
    layers, fix, effect = folder.layers, resave(folder.path), "transformers initializes them anew and outputs noise."
    old, new, plain = (layers.stored_as(kind, normalized=True) for kind in ("old", "new", "plain"))
    if old:
        mixed = f" ({len(new)} use parametrizations.weight.original0 and 1)" if new else ""
        message = (
            f"WaveNet layers with weight norm stored as weight_g and weight_v: {len(old)}{mixed}. Some versions of "
            "transformers below 4.57 with torch 2.1 or newer, such as 4.44.2, initialize these layers anew without an "
            "error and output noise; 4.57.6 and 5.x read them."
        )
        yield warning("weights.norm_old_format", message, RESAVE, **fix, old=len(old), new=len(new))
    if plain:
        message = counted("WaveNet layers stored without weight norm", plain)
        yield warning("weights.norm_folded", f"{message} {effect}", RESAVE, **fix, names=plain)
    if elsewhere := sorted(name for kind in ("old", "new") for name in layers.stored_as(kind, normalized=False)):
        message = counted("Layers outside of the WaveNets with weight norm, as finetune-hf-vits trains them", elsewhere)
        yield warning("weights.norm_outside_wavenet", f"{message} {effect}", RESAVE, **fix, names=elsewhere)


def check_values(folder: ModelFolder) -> Iterator[Diagnostic]:
    """Check the values of all weights."""
    if folder.tensors is not None:
        yield from diagnose_values(folder.tensors)


def diagnose_values(tensors: TensorTable) -> Iterator[Diagnostic]:
    """Look at every number once, with one tensor in memory at a time."""
    found = defaultdict(list)
    for name, tensor in tensors.values():
        if tensor.dtype.is_floating_point and tensor.numel():
            found[_fault(name, tensor)].append(name)
    for fault, (diagnostic, text, advice) in VALUE_FAULTS.items():
        if names := found[fault]:
            yield diagnostic(f"values.{fault}", counted(text, names), advice, names=names)


def _fault(name: str, tensor: Tensor) -> str | None:
    """Return which of `VALUE_FAULTS` a tensor has, if any."""
    initially_zero, is_gain = INITIALLY_ZERO.fullmatch(name), name.endswith((OLD_G, NEW_G))
    if not all(bool(torch.isfinite(chunk).all()) for chunk in tensor.reshape(-1).split(CHUNK)):
        return "not_finite"
    if initially_zero and _is(tensor, 0) or LAYER_NORM.fullmatch(name) and _is(tensor, 1):
        return "untrained"
    if name.endswith((OLD_V, NEW_V)) and has_zero_filter(tensor):
        return "zero_filter"
    may_be_constant = is_gain or initially_zero or SPEAKER_CONDITIONING.match(name) or tensor.dim() < 2
    if not may_be_constant and tensor.numel() > 1 and _is(tensor, tensor.flatten()[0].item()):
        return "constant"
    return None


def _is(tensor: Tensor, value: float) -> bool:
    return all(bool((chunk == value).all()) for chunk in tensor.reshape(-1).split(CHUNK))
