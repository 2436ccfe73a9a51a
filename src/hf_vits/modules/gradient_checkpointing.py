"""Compute activations again in the backward pass, to save memory in training."""

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer


def recompute_activations(model: nn.Module) -> None:
    """Switch gradient checkpointing on. transformers' own switch would warn that embeddings take no gradient."""
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.gradient_checkpointing = True
            module._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
