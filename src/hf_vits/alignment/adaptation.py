"""Adapt the prior to the speaker and the room of recordings, by what their alignment with their texts shows.

A posterior encoder that was trained on other voices maps a new one beside their latents. Which way it errs is the same
in all frames of a speaker: a linear map of the means (MLLR, Leggetter & Woodland 1995), and the covariance that is
left, both by least squares.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

MIN_FRAMES = 2000
"""Frames below which there is too little to adapt to; 23 seconds at 22,050 Hz and 256 samples a frame."""

MAP_FRAMES, COVARIANCE_FRAMES = 200, 1000
"""Frames that the assumption weighs that means do not change, and that errors of channels are independent."""


@dataclass(frozen=True)
class Adaptation:
    """
    A linear map of latents and means of the prior to where errors are independent and of variance 1.

    Args:
        latents (`Tensor` of shape `(C, C)`):
            Map of latents.
        means (`Tensor` of shape `(C, C)`), bias (`Tensor` of shape `(C, 1)`):
            Map of means of the prior, and what is added to them.
    """

    latents: Tensor
    means: Tensor
    bias: Tensor

    @classmethod
    def fit(cls, latents: Tensor, means: Tensor) -> "Adaptation":
        """Fit to latents and means of the prior of the same frames, both (C, frames)."""
        values, given = latents.double(), means.double()
        center, origin = values.mean(1, keepdim=True), given.mean(1, keepdim=True)
        eye = MAP_FRAMES * torch.eye(len(values), dtype=values.dtype)
        centered = given - origin
        linear = torch.linalg.solve(centered @ centered.T + eye, centered @ (values - center).T + eye).T
        bias = center - linear @ origin
        errors = values - linear @ given - bias
        products, frames = errors @ errors.T, errors.shape[1]
        diagonal = torch.diag(products.diagonal().clamp(min=1e-6 * frames) / frames)
        covariance = (products + COVARIANCE_FRAMES * diagonal) / (frames + COVARIANCE_FRAMES)
        variances, directions = torch.linalg.eigh(covariance)
        whiten = directions @ torch.diag(variances.rsqrt()) @ directions.T
        return cls(whiten.float(), (whiten @ linear).float(), (whiten @ bias).float())

    def of_latents(self, latents: Tensor) -> Tensor:
        """Latents (C, T_spec) -> mapped (C, T_spec)."""
        return self.latents @ latents

    def of_prior(self, mean: Tensor) -> tuple[Tensor, Tensor]:
        """Means (C, T_text) -> mapped means and log standard deviations, which are 0, both (C, T_text)."""
        mapped = self.means @ mean + self.bias
        return mapped, torch.zeros_like(mapped)
