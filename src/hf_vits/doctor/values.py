"""What the numbers themselves give away: damage, and parts that were never trained."""

import re
from collections.abc import Iterator

import torch
from torch import Tensor

from hf_vits.doctor.finding import Finding, error, warning
from hf_vits.doctor.folder import Folder
from hf_vits.doctor.tensors import AGAIN, Tensors
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V, has_zero_filter
from hf_vits.wording import listed

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


def check_values(folder: Folder, tensors: Tensors) -> Iterator[Finding]:
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
