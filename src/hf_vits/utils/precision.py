"""In which precision a processor multiplies fast, and what a command that asks for one gets."""

import logging
from typing import TYPE_CHECKING, Any

from hf_vits.utils.processor import bf16_units

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

DTYPES = ("float32", "bfloat16", "auto")
"""What commands accept for the decoder; `auto` is bfloat16 where it is faster."""


def add_dtype(parser: Any) -> None:
    """Declare the option `--dtype` of a [`Parser`], which lists it with the rare ones."""
    choices = ", ".join(DTYPES)
    parser.add_rare("--dtype", choices=DTYPES, default=DTYPES[0], metavar="TYPE", help=f"of the decoder: {choices}")


def usable_dtype(name: str, device: "str | torch.device" = "cpu") -> "torch.dtype":
    """Return the dtype of one of `DTYPES` on a device: float32, with a warning, where bfloat16 has no units."""
    import torch

    if name not in DTYPES:
        raise ValueError(f"`dtype` is {name!r}; choose from {', '.join(DTYPES)}.")
    if name == "float32":
        return torch.float32
    on_cpu = torch.device(device).type == "cpu"
    if multiplies_in_bf16(on_cpu):
        return torch.bfloat16
    if name == "bfloat16":
        kind = "processor" if on_cpu else "GPU"
        logger.warning(f"This {kind} has no units for bfloat16, which would be slower: float32 is used.")
    return torch.float32


def decoder_dtype(model: Any) -> str:
    """Return the name of the dtype in which the decoder of a `VitsModel` computes."""
    return str(next(model.decoder.parameters()).dtype).removeprefix("torch.")


def multiplies_in_bf16(on_cpu: bool) -> bool:
    """Return True if bfloat16 is faster than float32, on the CPU or on the GPU; False where PyTorch cannot say."""
    import torch

    if not on_cpu:
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(bf16_units())
