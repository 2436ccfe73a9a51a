"""Predict how long each token lasts: the stochastic predictor (paper, section 2.2.2) and the deterministic one."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.convolution import Conv
from hf_vits.modules.masks import lengths_from_mask
from hf_vits.modules.sampling import Generators, duration_noise
from hf_vits.utils.torch_state import has_kernel, is_traced

LEAST_DURATION = 1e-5
"""Floor of a duration before its logarithm, in frames."""

MIN_WIDTH = MIN_HEIGHT = MIN_SLOPE = 1e-3
"""Least width, height and slope of a bin of the spline."""


class DilatedDepthSeparable(nn.Module):
    """Residual layers of depthwise and pointwise convolution whose dilation grows by the kernel size."""

    def __init__(self, config: VitsConfig, dropout: float):
        super().__init__()
        size, kernel = config.hidden_size, config.duration_predictor_kernel_size
        dilations = [kernel**layer for layer in range(config.depth_separable_num_layers)]
        self.convs_dilated = nn.ModuleList([Conv(size, size, kernel, d, groups=size) for d in dilations])
        self.convs_pointwise = nn.ModuleList([Conv(size, size, 1) for _ in dilations])
        self.norms_1 = nn.ModuleList([nn.LayerNorm(size) for _ in dilations])
        self.norms_2 = nn.ModuleList([nn.LayerNorm(size) for _ in dilations])
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T) -> (B, H, T)."""
        layers = zip(self.convs_dilated, self.norms_1, self.convs_pointwise, self.norms_2, strict=True)
        for dilated, norm_1, pointwise, norm_2 in layers:
            out = F.gelu(_over_channels(norm_1, dilated(hidden * mask)))
            out = F.gelu(_over_channels(norm_2, pointwise(out)))
            hidden = hidden + self.dropout(out)
        return hidden


class ElementwiseAffine(nn.Module):
    """Scale and shift both channels of the duration flow by learned constants."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        self.translate = nn.Parameter(torch.zeros(config.depth_separable_channels, 1))
        self.log_scale = nn.Parameter(torch.zeros(config.depth_separable_channels, 1))

    def forward(self, pair: Tensor, mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """pair (B, 2, T), mask (B, 1, T) -> (B, 2, T) and the log-determinant (B,); `condition` is not used."""
        return (self.translate + self.log_scale.exp() * pair) * mask, (self.log_scale * mask).sum(dim=(1, 2))

    def inverse(self, pair: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """Invert `forward`; same shapes."""
        return (pair - self.translate) * (-self.log_scale).exp() * mask


class SplineCoupling(nn.Module):
    """Transform the second channel by a spline whose knots follow from the first channel and the text."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        size, self.bins = config.hidden_size, config.duration_predictor_flow_bins
        self.bound = float(config.duration_predictor_tail_bound)
        self.scale = logits_scale(size)
        self.conv_pre = Conv(1, size, 1)
        self.conv_dds = DilatedDepthSeparable(config, dropout=0.0)
        self.conv_proj = Conv(size, 3 * self.bins - 1, 1)
        nn.init.zeros_(self.conv_proj.weight)  # every spline starts the same
        nn.init.zeros_(self.conv_proj.bias)

    def forward(self, pair: Tensor, mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """pair (B, 2, T), mask (B, 1, T), condition (B, H, T) -> (B, 2, T) and the log-determinant (B,)."""
        kept, moved = pair.chunk(2, dim=1)
        moved, log_slope = self._spline(kept, mask, condition).forward(moved)
        return torch.cat([kept, moved.to(kept.dtype)], dim=1) * mask, (log_slope * mask).sum(dim=(1, 2))

    def inverse(self, pair: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """Invert `forward`; same shapes."""
        kept, moved = pair.chunk(2, dim=1)
        moved = self._spline(kept, mask, condition).inverse(moved)
        return torch.cat([kept, moved.to(kept.dtype)], dim=1) * mask

    def _spline(self, kept: Tensor, mask: Tensor, condition: Tensor) -> "Spline":
        hidden = self.conv_dds(self.conv_pre(kept) + condition, mask)
        parameters = (self.conv_proj(hidden) * mask).transpose(1, 2).unsqueeze(1)  # (B, 1, T, 3 · bins - 1)
        if parameters.dtype in (torch.float16, torch.bfloat16):
            parameters = parameters.float()  # bins of least width 1e-3 are below half precision's resolution
        sizes, slopes = parameters.split([2 * self.bins, self.bins - 1], dim=-1)
        widths, heights = (sizes * self.scale).chunk(2, dim=-1)
        return Spline.from_logits(widths, heights, slopes, self.bound)


class StochasticDurationPredictor(nn.Module):
    """A flow from normal noise to log durations, conditioned on the text."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        size, dropout = config.hidden_size, config.duration_predictor_dropout
        self.conv_pre = Conv(config.text_size, size, 1)
        self.conv_proj = Conv(size, size, 1)
        self.conv_dds = DilatedDepthSeparable(config, dropout)
        if config.speaker_embedding_size:
            self.cond = nn.Conv1d(config.speaker_embedding_size, size, 1)
        if config.language_embedding_size:
            self.cond_language = nn.Conv1d(config.language_embedding_size, size, 1)
        self.flows = _duration_flow(config)
        if config.inference_only:
            self.flows[1] = nn.Identity()  # used only in training; the numbers of the others stay
        else:
            self.post_conv_pre = Conv(1, size, 1)
            self.post_conv_proj = Conv(size, size, 1)
            self.post_conv_dds = DilatedDepthSeparable(config, dropout)
            self.post_flows = _duration_flow(config)

    @has_kernel("inference", "predict_noisy_durations", gradients=False)
    def forward(
        self,
        hidden: Tensor,
        mask: Tensor,
        noise: Tensor,
        speaker: Tensor | None = None,
        language: Tensor | None = None,
    ) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T), noise (B, 2, T), speaker (B, S, 1), language (B, L, 1) -> log durations
        (B, 1, T); with languages, hidden is L channels wider."""
        condition = self.condition(hidden, mask, speaker, language)
        pair = noise.to(condition.dtype)
        for coupling in reversed(self.flows[2:]):  # the first coupling changes only the channel that is dropped
            pair = coupling.inverse(pair.flip(1), mask, condition)
        return self.flows[0].inverse(pair.flip(1), mask, condition)[:, :1]

    def negative_log_likelihood(
        self,
        hidden: Tensor,
        mask: Tensor,
        durations: Tensor,
        speaker: Tensor | None = None,
        generator: Generators = None,
        language: Tensor | None = None,
    ) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T), durations (B, 1, T) in frames -> bounds of −log p(durations) (B,).

        Subtracting u in [0, 1) makes whole durations real numbers, and a second channel is added; both are drawn from
        a flow conditioned on them (variational dequantization and data augmentation, section 2.2.2, equation 7).
        """
        condition = self.condition(hidden, mask, speaker, language)
        durations = durations.to(condition.dtype)
        encoded = self.post_conv_proj(self.post_conv_dds(self.post_conv_pre(durations), mask)) * mask
        noise = duration_noise(len(mask), lengths_from_mask(mask), mask.shape[2], generator).to(mask) * mask
        drawn, log_determinant = _through(self.post_flows, noise, mask, condition + encoded)
        logit, second = drawn.chunk(2, dim=1)
        log_determinant = log_determinant + _sum((F.logsigmoid(logit) + F.logsigmoid(-logit)) * mask)
        log_posterior = -0.5 * _sum((math.log(2 * math.pi) + noise.square()) * mask) - log_determinant

        log_first = (durations - logit.sigmoid() * mask).clamp(min=LEAST_DURATION).log() * mask
        pair, log_determinant = _through(self.flows, torch.cat([log_first, second], dim=1), mask, condition)
        log_likelihood = -0.5 * _sum((math.log(2 * math.pi) + pair.square()) * mask) + log_determinant - _sum(log_first)
        return log_posterior - log_likelihood

    def condition(
        self, hidden: Tensor, mask: Tensor, speaker: Tensor | None = None, language: Tensor | None = None
    ) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T), speaker (B, S, 1), language (B, L, 1) -> (B, H, T): what the flow is
        conditioned on."""
        hidden = self.conv_pre(hidden)
        if speaker is not None:
            hidden = hidden + self.cond(speaker)
        if language is not None:
            hidden = hidden + self.cond_language(language)
        return self.conv_proj(self.conv_dds(hidden, mask)) * mask


class DurationPredictor(nn.Module):
    """Predict one log duration per token with two convolutions, always the same for the same text."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        size, inner, kernel = (
            config.text_size,
            config.duration_predictor_filter_channels,
            config.duration_predictor_kernel_size,
        )
        self.conv_1 = Conv(size, inner, kernel)
        self.norm_1 = nn.LayerNorm(inner, eps=config.duration_norm_eps)
        self.conv_2 = Conv(inner, inner, kernel)
        self.norm_2 = nn.LayerNorm(inner, eps=config.duration_norm_eps)
        self.proj = Conv(inner, 1, 1)
        self.dropout = nn.Dropout(config.duration_predictor_dropout)
        if config.speaker_embedding_size:
            self.cond = nn.Conv1d(config.speaker_embedding_size, size, 1)
        if config.language_embedding_size:
            self.cond_language = nn.Conv1d(config.language_embedding_size, size, 1)

    @has_kernel("inference", "predict_durations", gradients=False)
    def forward(
        self, hidden: Tensor, mask: Tensor, speaker: Tensor | None = None, language: Tensor | None = None
    ) -> Tensor:
        """hidden (B, H, T), mask (B, 1, T), speaker (B, S, 1), language (B, L, 1) -> log durations (B, 1, T)."""
        if speaker is not None:
            hidden = hidden + self.cond(speaker)
        if language is not None:
            hidden = hidden + self.cond_language(language)
        hidden = self.dropout(_over_channels(self.norm_1, self.conv_1(hidden * mask).relu()))
        hidden = self.dropout(_over_channels(self.norm_2, self.conv_2(hidden * mask).relu()))
        return self.proj(hidden * mask) * mask


def _through(flow: nn.ModuleList, pair: Tensor, mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
    """pair (B, 2, T) -> (B, 2, T) and the log-determinant (B,): affine, then couplings, each with a swap after it."""
    pair, total = flow[0](pair, mask, condition)
    for coupling in flow[1:]:
        pair, log_determinant = coupling(pair, mask, condition)
        pair, total = pair.flip(1), total + log_determinant
    return pair, total


def _sum(values: Tensor) -> Tensor:
    return values.float().sum(dim=(1, 2))


def _duration_flow(config: VitsConfig) -> nn.ModuleList:
    couplings = [SplineCoupling(config) for _ in range(config.duration_predictor_num_flows)]
    return nn.ModuleList([ElementwiseAffine(config), *couplings])


def _over_channels(norm: nn.LayerNorm, hidden: Tensor) -> Tensor:
    """Normalize over the channels of (B, H, T)."""
    return norm(hidden.transpose(1, 2)).transpose(1, 2)


@dataclass
class Spline:
    """Knots of one monotonic rational-quadratic spline per element (Durkan et al. 2019, section 3.1).

    It acts within ±bound; outside it is the identity. x, y and slope (…, bins + 1).
    """

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
        """Return the bin of each value: left edge, width, bottom, height and the slopes at both of its ends."""
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
    """Return the factor of widths and heights before the softmax, so that their spread ignores the layer's size."""
    return 1 / math.sqrt(channels)
