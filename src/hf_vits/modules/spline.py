"""Monotonic rational-quadratic splines (Durkan et al. 2019, "Neural Spline Flows", section 3.1)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.utils.torch_state import is_traced

MIN_WIDTH = MIN_HEIGHT = MIN_SLOPE = 1e-3


@dataclass
class Spline:
    """Knots of one spline per element, within ±bound; outside it is the identity. x and y (…, bins+1), slope same."""

    x: Tensor
    y: Tensor
    slope: Tensor
    bound: float

    @classmethod
    def from_logits(cls, widths: Tensor, heights: Tensor, slopes: Tensor, bound: float) -> "Spline":
        """widths, heights (…, bins) and inner slopes (…, bins-1), all unconstrained -> Spline."""
        inner = MIN_SLOPE + F.softplus(slopes)
        # Slope 1 at both ends joins the identity outside smoothly.
        return cls(
            _knots(widths, bound, MIN_WIDTH), _knots(heights, bound, MIN_HEIGHT), F.pad(inner, (1, 1), value=1.0), bound
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """inputs (…) -> outputs (…) and log |d outputs / d inputs| (…) (equations 4 and 5)."""
        clamped = inputs.to(self.x.dtype).clamp(-self.bound, self.bound)
        left, width, bottom, height, slope_0, slope_1 = self._bin(self.x, clamped)
        position = (clamped - left) / width
        outputs, log_slope = _rational_quadratic(position, width, bottom, height, slope_0, slope_1)
        inside = inputs.abs() <= self.bound
        return torch.where(inside, outputs, inputs), torch.where(inside, log_slope, 0.0)

    def inverse(self, inputs: Tensor) -> Tensor:
        """Undoes `forward`: inputs (…) -> outputs (…), the root of equation 6 in each bin."""
        clamped = inputs.to(self.x.dtype).clamp(-self.bound, self.bound)
        left, width, bottom, height, slope_0, slope_1 = self._bin(self.y, clamped)
        delta, rise = height / width, clamped - bottom
        bend = slope_0 + slope_1 - 2 * delta
        a = height * (delta - slope_0) + rise * bend
        b = height * slope_0 - rise * bend
        c = -delta * rise
        position = 2 * c / (-b - (b.square() - 4 * a * c).clamp_min(0).sqrt())  # the form that does not cancel
        return torch.where(inputs.abs() <= self.bound, position * width + left, inputs)

    def _bin(self, knots: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        """The bin of each value: left edge, width, bottom, height and the slopes at both of its ends."""
        values = values.unsqueeze(-1)
        if is_traced():  # exporters do not know `searchsorted`
            index = (knots <= values).sum(dim=-1, keepdim=True) - 1
        else:
            index = torch.searchsorted(knots.contiguous(), values.contiguous(), right=True) - 1
        index = index.clamp(0, knots.shape[-1] - 2)
        both = torch.cat([index, index + 1], dim=-1)
        (left, right), (bottom, top), (slope_0, slope_1) = (
            ends.gather(-1, both).unbind(-1) for ends in (self.x, self.y, self.slope)
        )
        return left, right - left, bottom, top - bottom, slope_0, slope_1


def _knots(logits: Tensor, bound: float, least: float) -> Tensor:
    """logits (…, bins) -> increasing knots (…, bins+1) from -bound to bound, no bin under `least` of the unit."""
    bins = logits.shape[-1]
    shares = least + (1 - least * bins) * logits.softmax(dim=-1)
    inner = 2 * bound * shares.cumsum(dim=-1)[..., :-1] - bound
    return F.pad(F.pad(inner, (1, 0), value=-bound), (0, 1), value=bound)


def _rational_quadratic(
    position: Tensor, width: Tensor, bottom: Tensor, height: Tensor, slope_0: Tensor, slope_1: Tensor
) -> tuple[Tensor, Tensor]:
    delta, rest = height / width, 1 - position
    both = position * rest
    denominator = delta + (slope_0 + slope_1 - 2 * delta) * both
    outputs = bottom + height * (delta * position.square() + slope_0 * both) / denominator
    slope = delta.square() * (slope_1 * position.square() + 2 * delta * both + slope_0 * rest.square())
    return outputs, slope.log() - 2 * denominator.log()


def logits_scale(channels: int) -> float:
    """What widths and heights are multiplied by before the softmax, so that their spread ignores the layer's size."""
    return 1 / math.sqrt(channels)
