"""The generator's losses by name, and the weights of the same names that they are added up with (section 2.4)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields

from torch import Tensor, nn

from hf_vits.discriminator import Judgement
from hf_vits.losses import adversarial_loss, feature_loss, kl_loss, mel_loss
from hf_vits.training.generator import Aligned, Slices


@dataclass(frozen=True)
class Weights:
    """What each term counts; the paper's by default."""

    adversarial: float = 1.0
    features: float = 1.0
    mel: float = 45.0
    kl: float = 1.0
    duration: float = 1.0


def judged_terms(real: Judgement, fake: Judgement) -> dict[str, Tensor]:
    """The generator's terms that judges decide, each (); those of all judges are the sums of each judge's."""
    return {"adversarial": adversarial_loss(fake.logits), "features": feature_loss(real.features, fake.features)}


def text_terms(out: Aligned) -> dict[str, Tensor]:
    """The generator's terms that speak of the text, each (): what it predicts of the latents and of the durations."""
    return {
        "kl": kl_loss(out.prior_latents, out.posterior_log_std, out.prior_mean, out.prior_log_std, out.frame_mask),
        "duration": out.duration_loss,
    }


def sound_terms(out: Slices) -> dict[str, Tensor]:
    """The generator's term that speaks of the waveform, (), and that no judge decides."""
    return {"mel": mel_loss(out.real_mel, out.fake_mel)}


def weighted_sum(terms: Mapping[str, Tensor], weights: Weights) -> Tensor:
    """Terms by name -> (); raises `ValueError` for a term without a weight."""
    names = {field.name for field in fields(weights)}
    if unknown := sorted(terms.keys() - names):
        raise ValueError(f"The terms {unknown} have no weight; there are weights of {sorted(names)}.")
    return sum(getattr(weights, name) * term for name, term in terms.items())


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Parameters of the module take no gradient inside; those that took none before take none after."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
