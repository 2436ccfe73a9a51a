"""Layers that can forget their activations and compute them again in the backward pass, to save memory in training."""

from functools import partial

import torch
from torch import nn


class Recomputed(nn.Module):
    """Does so in training once `gradient_checkpointing_enable` of the model has set both attributes."""

    gradient_checkpointing = False

    def __call__(self, *args, **kwargs):
        """Calls `forward`."""
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            return self._gradient_checkpointing_func(partial(super().__call__, **kwargs), *args)
        return super().__call__(*args, **kwargs)
