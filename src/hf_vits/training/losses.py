"""The terms that VITS is trained with: pure functions in float32 that know no trainer (paper, sections 2.1 and 2.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def mel_loss(real: Tensor, fake: Tensor) -> Tensor:
    """real and fake log-mels (B, M, T) -> (): mean absolute difference (equation 2)."""
    return F.l1_loss(fake.float(), real.float())


def kl_loss(
    latents: Tensor, posterior_log_std: Tensor, prior_mean: Tensor, prior_log_std: Tensor, mask: Tensor
) -> Tensor:
    """One-sample KL(posterior ‖ prior), nats per frame; inputs (B, C, T_spec), mask (B, 1, T_spec) -> () (equation 4).

    The posterior's own quadratic term is replaced by its expectation, one half per channel.
    """
    error = (latents.float() - prior_mean.float()) * torch.exp(-prior_log_std.float())
    kl = prior_log_std.float() - posterior_log_std.float() + 0.5 * (error.square() - 1)
    return (kl * mask).sum() / mask.float().sum()


def plain_duration_loss(log_durations: Tensor, durations: Tensor, mask: Tensor) -> Tensor:
    """log_durations (B, 1, T_text), durations int64 (B, T_text), mask (B, 1, T_text) -> (): squared error per token."""
    target = torch.log(durations.unsqueeze(1).float() + 1e-6) * mask
    return ((log_durations.float() - target).square() * mask).sum() / mask.float().sum()


def stochastic_duration_loss(negative_log_likelihood: Tensor, mask: Tensor) -> Tensor:
    """Upper bounds of −log p(durations | text) (B,), mask (B, 1, T_text) -> (): nats per token (equation 7)."""
    return negative_log_likelihood.float().sum() / mask.float().sum()


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Logits of every judge (B, …) on real and fake -> (): least squares to 1 and to 0, summed (equation 8)."""
    return sum(((1 - r.float()).square().mean() + f.float().square().mean()) for r, f in zip(real, fake, strict=True))


def adversarial_loss(fake: Sequence[Tensor]) -> Tensor:
    """Logits of every judge on fake -> (): least squares to 1, summed over judges (equation 9)."""
    return sum((1 - f.float()).square().mean() for f in fake)


def feature_loss(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Features of every layer of every judge -> (): twice the mean absolute differences, summed (equation 10).

    The real ones are targets: no gradient goes into them.
    """
    pairs = [
        (r, f)
        for real_layers, fake_layers in zip(real, fake, strict=True)
        for r, f in zip(real_layers, fake_layers, strict=True)
    ]
    return 2 * sum((f.float() - r.detach().float()).abs().mean() for r, f in pairs)
