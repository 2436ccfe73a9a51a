"""The moving average of a generator's parameters, which sounds better than any single step's."""

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from hf_vits.modeling_vits import VitsModel


def moving_average(model: VitsModel, decay: float) -> AveragedModel:
    """
    A copy of the model that follows its parameters, by `update_parameters`.

    Args:
        model ([`VitsModel`]):
            What is trained.
        decay (`float`):
            How much of the average each update keeps, in the long run; less in the first ones, so that a short run is
            not the average of where it began.
    """

    @torch.no_grad()
    def blend(averaged: list[Tensor], current: list[Tensor], updates: Tensor) -> None:
        count = int(updates)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + count) / (10 + count)))

    average = AveragedModel(model, multi_avg_fn=blend)
    average.requires_grad_(False)
    return average
