"""The losses of VITS: pure functions in float32, and the registry of those that train the generator (paper, section 2).

To add a loss, register a function of what its stage computes; its weight, log name and model card row follow:

```python
@register_loss("loudness", stage="reconstruction", weight=0.1, description="Difference in loudness.")
def loudness_loss(segments):
    return (segments.fake.square().mean() - segments.real.square().mean()).abs()
```
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.utils.registry import Registry

Stage = Literal["adversarial", "reconstruction", "prior"]
"""What a loss is a function of: `"adversarial"` of a sub-discriminator's outputs, a `DiscriminatorOutput` for the
recording and one for the generated segment; `"reconstruction"` of a `Segments`; `"prior"` of an `AlignmentOutput`."""


@dataclass(frozen=True)
class Loss:
    """
    A loss of the generator.

    Args:
        function (`Callable`):
            Takes the outputs of the stage, returns a float32 scalar, a mean over the batch.
        stage (`str`):
            `"adversarial"`, `"reconstruction"` or `"prior"`; the losses of a stage share one backward pass. An
            adversarial loss is computed for each sub-discriminator and summed over them.
        weight (`float`):
            Default weight in the sum of all losses.
        normalize_by (`str`):
            `"clips"`, `"tokens"` or `"frames"`: what the mean is over, to weigh batches of unequal size.
        description (`str`):
            One sentence for the model card.
        source (`str`):
            Where it is from.
    """

    function: Callable[..., Tensor]
    stage: Stage
    weight: float
    normalize_by: Literal["clips", "tokens", "frames"]
    description: str
    source: str


LOSSES: Registry[Loss] = Registry("loss")


def register_loss(
    name: str,
    *,
    stage: Stage,
    weight: float,
    description: str,
    normalize_by: Literal["clips", "tokens", "frames"] = "clips",
    source: str = "",
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Return a decorator that registers a function as a [`Loss`]; arguments are the fields of that class."""

    def register(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        LOSSES.register(name)(Loss(function, stage, weight, normalize_by, description, source))
        return function

    return register


def losses_of(stage: Stage, *outputs: Any) -> dict[str, Tensor]:
    """Outputs of a stage -> its losses by name, each ()."""
    return {name: loss.function(*outputs) for name, loss in LOSSES.items() if loss.stage == stage}


def default_weights() -> dict[str, float]:
    """Return the default weight of each loss by name."""
    return {name: loss.weight for name, loss in LOSSES.items()}


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


def deterministic_duration_loss(log_durations: Tensor, durations: Tensor, mask: Tensor) -> Tensor:
    """log_durations (B, 1, T_text), durations int64 (B, T_text), mask (B, 1, T_text) -> (): squared error per token."""
    target = torch.log(durations.unsqueeze(1).float() + 1e-6) * mask
    return ((log_durations.float() - target).square() * mask).sum() / mask.float().sum()


def stochastic_duration_loss(negative_log_likelihood: Tensor, mask: Tensor) -> Tensor:
    """Upper bounds of −log p(durations | text) (B,), mask (B, 1, T_text) -> (): nats per token (equation 7)."""
    return negative_log_likelihood.float().sum() / mask.float().sum()


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Logits (B, …) of each sub-discriminator -> (): least squares to 1 and to 0, summed (equation 8)."""
    return sum(((1 - r.float()).square().mean() + f.float().square().mean()) for r, f in zip(real, fake, strict=True))


def adversarial_loss(fake: Sequence[Tensor]) -> Tensor:
    """Logits (B, …) of each sub-discriminator -> (): least squares to 1, summed (equation 9)."""
    return sum((1 - f.float()).square().mean() for f in fake)


def feature_loss(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Features of each layer of each sub-discriminator -> (): twice the mean absolute differences (equation 10).

    The real features are targets: no gradient goes into them.
    """
    pairs = [
        (r, f)
        for real_layers, fake_layers in zip(real, fake, strict=True)
        for r, f in zip(real_layers, fake_layers, strict=True)
    ]
    return 2 * sum((f.float() - r.detach().float()).abs().mean() for r, f in pairs)


register_loss(
    "adversarial",
    stage="adversarial",
    weight=1.0,
    description="Least squares of the discriminators' logits on generated segments to 1.",
    source="Mao et al. 2017; paper, equation 9",
)(lambda real, fake: adversarial_loss(fake.logits))

register_loss(
    "feature_matching",
    stage="adversarial",
    weight=1.0,
    description="Absolute difference of the discriminators' features.",
    source="Larsen et al. 2016; paper, equation 10",
)(lambda real, fake: feature_loss(real.features, fake.features))

register_loss(
    "mel",
    stage="reconstruction",
    weight=45.0,
    description="Absolute difference of log-mels.",
    source="paper, equation 2",
)(lambda segments: mel_loss(segments.real_mel, segments.fake_mel))

register_loss(
    "kl",
    stage="prior",
    weight=1.0,
    normalize_by="frames",
    description="Divergence between posterior and prior, in nats per frame.",
    source="paper, equation 4",
)(lambda out: kl_loss(out.prior_latents, out.posterior_log_std, out.prior_mean, out.prior_log_std, out.frame_mask))

register_loss(
    "duration",
    stage="prior",
    weight=1.0,
    normalize_by="tokens",
    description="Loss of the duration predictor, per token.",
    source="paper, equation 7",
)(lambda out: out.duration_loss)
