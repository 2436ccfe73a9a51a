"""Layers that can forget their activations and compute them again in the backward pass, to save memory in training."""

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer


class Recomputed(GradientCheckpointingLayer):
    """Does so in training once `gradient_checkpointing_enable` of the model has set both attributes."""


def recompute_activations(model: nn.Module) -> None:
    """Sets what transformers' own switch would, which for us warns of embeddings that take no gradient: ours do."""
    for module in model.modules():
        if isinstance(module, Recomputed):
            module.gradient_checkpointing = True
            module._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
