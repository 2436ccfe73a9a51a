"""Numbers that are none (NaN) or infinite: never spoken, never loaded."""

from collections.abc import Mapping

import torch
from torch import Tensor

from hf_vits.modules.prepared import is_traced
from hf_vits.wording import listed


class NotFiniteError(ValueError):
    """What a model made of a text holds NaN or infinity."""


def is_finite(tensor: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity; in one pass, without memory of its own."""
    if not tensor.is_floating_point() or not tensor.numel() or tensor.is_meta:
        return True
    return all(bool(torch.isfinite(end)) for end in torch.aminmax(tensor.detach()))


def check_weights(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raises `ValueError` if a tensor holds NaN or infinity, naming it and `source`, where the tensors are from."""
    broken = sorted(name for name, tensor in tensors.items() if not is_finite(tensor))
    if broken:
        raise ValueError(
            f"The weights in {source} are damaged: {listed(broken, most=200)} hold NaN or infinity. "
            "Fetch the file again, or take an earlier checkpoint; `hf-vits doctor` says more."
        )


def check_spoken(what: str, tensor: Tensor, is_training: bool) -> Tensor:
    """Raises `NotFiniteError` if a tensor of a model's output holds NaN or infinity; gives it back otherwise.

    In training, which may have its own way to go on, and while a graph is traced, nothing is checked.
    """
    if not (is_training or is_traced() or is_finite(tensor)):
        raise NotFiniteError(
            f"The {what} would hold NaN or infinity: weights of the voice are damaged, or overflow {tensor.dtype}. "
            "Load the voice again, in float32 or bfloat16 if it was float16; if that does not help, take another "
            "checkpoint (`hf-vits doctor` examines one)."
        )
    return tensor
