"""Layers that can forget their activations and compute them again in the backward pass, to save memory in training."""

from transformers.modeling_layers import GradientCheckpointingLayer


class Recomputed(GradientCheckpointingLayer):
    """Does so in training once `gradient_checkpointing_enable` of the model has set both attributes."""
