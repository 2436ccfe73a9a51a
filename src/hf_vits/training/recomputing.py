"""Activations that are computed again in the backward pass, to save memory."""

from functools import partial

from torch.utils.checkpoint import checkpoint

from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.recomputed import Recomputed


def recompute_activations(model: VitsModel) -> None:
    """Sets what transformers' own switch would, which for us warns of embeddings that take no gradient: ours do."""
    for module in model.modules():
        if isinstance(module, Recomputed):
            module.gradient_checkpointing = True
            module._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
