"""The losses of VITS: pure functions in float32, and the registry of those that train the generator (paper, section 2).

To add a loss, register a function of what its stage computes; its weight, log name and model card row follow:

```python
@register_loss("loudness", stage="reconstruction", weight=0.1, description="Difference in loudness.")
def loudness_loss(segments):
    return (segments.fake.square().mean() - segments.real.square().mean()).abs()
```
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from hf_vits.utils.registry import Registry

Stage = Literal["adversarial", "reconstruction", "prior", "durations", "own_speech", "pitch", "conversion", "unpaired"]
"""What a loss is a function of: `"adversarial"` of a sub-discriminator's outputs, a `DiscriminatorOutput` for the
recording and one for the generated segment; `"reconstruction"` of a `Segments`; `"prior"` of an `AlignmentOutput`;
`"durations"`, in the last steps of a run, of a `DurationOutput`; `"own_speech"` and `"pitch"`, while the posterior
encoder is adapted, of an `OwnSpeechOutput` and a `PitchOutput`; `"conversion"`, while the decoder learns converted
speech, of a `Segments`, and `"unpaired"` of an `UnpairedOutput`."""

ADAPTATION = ("own_speech", "pitch")
"""Stages whose losses are computed while the posterior encoder is adapted."""

CONVERSION = ("conversion", "unpaired")
"""Stages whose losses are computed while the decoder learns converted speech."""

MEASURED = ("reconstruction", "prior")
"""Stages whose losses an evaluation measures."""


@dataclass(frozen=True)
class Loss:
    """
    A loss of the generator.

    Args:
        function (`Callable`):
            Takes the outputs of the stage, returns a float32 scalar, a mean over the batch.
        stage (`str`):
            One of `Stage`; the losses of a stage share one backward pass. An adversarial loss is computed for each
            sub-discriminator and summed over them.
        weight (`float`):
            Default weight in the sum of all losses.
        normalize_by (`str`):
            `"clips"`, `"tokens"` or `"frames"`: what the mean is over, to weigh batches of unequal size.
        description (`str`):
            One sentence for the model card.
        source (`str`):
            Where it is from.
        on_request (`bool`, *optional*, defaults to `False`):
            Compute it only for decoders whose configuration names it in `losses`, or in steps that ask for it.
    """

    function: Callable[..., Tensor]
    stage: Stage
    weight: float
    normalize_by: Literal["clips", "tokens", "frames"]
    description: str
    source: str
    on_request: bool = False


LOSSES: Registry[Loss] = Registry("loss")


def register_loss(
    name: str,
    *,
    stage: Stage,
    weight: float,
    description: str,
    normalize_by: Literal["clips", "tokens", "frames"] = "clips",
    source: str = "",
    on_request: bool = False,
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Return a decorator that registers a function as a [`Loss`]; arguments are the fields of that class."""

    def register(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        LOSSES.register(name)(Loss(function, stage, weight, normalize_by, description, source, on_request))
        return function

    return register


def losses_of(stage: Stage, *outputs: Any) -> dict[str, Tensor]:
    """Outputs of a stage -> its losses by name, each (); those on request if `Segments.requested_losses` has them."""
    names = names_of_losses(getattr(outputs[0], "requested_losses", ()))
    return {name: LOSSES[name].function(*outputs) for name in names if LOSSES[name].stage == stage}


def names_of_losses(requested: Sequence[str]) -> list[str]:
    """Return the names of the losses that are computed for a decoder with these `losses`."""
    return [name for name, loss in LOSSES.items() if not loss.on_request or name in requested]


def default_weights() -> dict[str, float]:
    """Return the default weight of each loss by name."""
    return {name: loss.weight for name, loss in LOSSES.items()}


def mel_loss(real: Tensor, fake: Tensor) -> Tensor:
    """real and fake log-mels (B, M, T) -> (): mean absolute difference (equation 2)."""
    return F.l1_loss(fake.float(), real.float())


RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
"""Samples of a transform and between frames in the loss of spectra."""

SPECTRUM_FLOOR = 3e-3
"""Least magnitude whose logarithm is compared there: what is below is inaudible beside speech."""


def spectrum_loss(real: Tensor, fake: Tensor) -> Tensor:
    """real and fake waveforms (B, 1, T) -> (): difference of magnitudes, relative and of logarithms, over the batch;
    the mean of three resolutions (Yamamoto et al. 2020, equations 4 to 6)."""
    total = real.new_zeros((), dtype=torch.float32)
    for size, hop in RESOLUTIONS:
        magnitudes, target = (_magnitudes(waveform.squeeze(1), size, hop, size) for waveform in (fake, real))
        logs, target_logs = (values.clamp(min=SPECTRUM_FLOOR).log() for values in (magnitudes, target))
        total = total + (target - magnitudes).norm() / target.norm() + F.l1_loss(logs, target_logs)
    return total / len(RESOLUTIONS)


SUBBAND_RESOLUTIONS = ((384, 30, 150), (683, 60, 300), (171, 10, 60))
"""Samples of a band in a transform, between frames, and in a window, of the sub-band loss."""

SUBBAND_FLOOR = 1e-7
"""Least squared magnitude in it."""


def subband_stft_loss(real: Tensor, fake: Tensor) -> Tensor:
    """real and fake sub-bands (B, bands, T) -> (): difference of magnitudes, relative and of logarithms, over the
    batch; the mean of three resolutions (Yamamoto et al. 2020, equations 4 to 6; Kawamura et al. 2022)."""
    total = real.new_zeros((), dtype=torch.float32)
    for settings in SUBBAND_RESOLUTIONS:
        magnitudes, target = (_magnitudes(bands.flatten(0, 1), *settings) for bands in (fake, real))
        total = total + (target - magnitudes).norm() / target.norm() + F.l1_loss(magnitudes.log(), target.log())
    return total / len(SUBBAND_RESOLUTIONS)


def _magnitudes(signal: Tensor, fft_size: int, hop_length: int, window_size: int) -> Tensor:
    """signal (B, T) -> (B, F, frames), float32 under autocast too; edges are reflected if the signal is long enough."""
    mode = "reflect" if signal.shape[-1] > fft_size // 2 else "constant"
    with torch.autocast(signal.device.type, enabled=False):
        window = torch.hann_window(window_size, device=signal.device)
        spectrum = torch.stft(
            signal.float(), fft_size, hop_length, window_size, window, pad_mode=mode, return_complex=True
        )
        return (spectrum.real.square() + spectrum.imag.square()).clamp(min=SUBBAND_FLOOR).sqrt()


def kl_loss(
    latents: Tensor, posterior_log_std: Tensor, prior_mean: Tensor, prior_log_std: Tensor, mask: Tensor
) -> Tensor:
    """One-sample KL(posterior ‖ prior), nats per frame; inputs (B, C, T_spec), mask (B, 1, T_spec) -> () (equation 4).

    The posterior's own quadratic term is replaced by its expectation, one half per channel.
    """
    error = (latents.float() - prior_mean.float()) * torch.exp(-prior_log_std.float())
    kl = prior_log_std.float() - posterior_log_std.float() + 0.5 * (error.square() - 1)
    return (kl * mask).sum() / mask.float().sum()


def negative_log_likelihood(values: Tensor, mean: Tensor, log_std: Tensor, weight: Tensor) -> Tensor:
    """values, mean, log_std (B, C, T), weight (B, 1, T) -> (), in nats per value: −log N(values; mean, exp(log_std)²),
    averaged by the weight of the frames."""
    nll = log_std + 0.5 * ((values - mean) * (-log_std).exp()).square() + 0.5 * math.log(2 * math.pi)
    return (nll * weight).sum() / (weight.sum() * values.shape[1])


def pitch_loss(octaves: Tensor, target: Tensor, voiced: Tensor, mask: Tensor) -> Tensor:
    """octaves and target (B, T_spec), voiced and mask of frames (B, T_spec) -> (): the absolute difference where speech
    is voiced, summed and divided by all frames, so that batches are weighed by theirs."""
    return ((octaves.float() - target).abs() * voiced).sum() / mask.sum()


def voicing_loss(logits: Tensor, voiced: Tensor, mask: Tensor) -> Tensor:
    """logits, voiced and mask of frames (B, T_spec) -> (): cross entropy, in nats per frame."""
    nats = F.binary_cross_entropy_with_logits(logits.float(), voiced, reduction="none")
    return (nats * mask).sum() / mask.sum()


def deterministic_duration_loss(log_durations: Tensor, durations: Tensor, mask: Tensor) -> Tensor:
    """log_durations (B, 1, T_text), durations int64 (B, T_text), mask (B, 1, T_text) -> (): squared error per token."""
    target = torch.log(durations.unsqueeze(1).float() + 1e-6) * mask
    return ((log_durations.float() - target).square() * mask).sum() / mask.float().sum()


def token_least_squares(logits: Tensor, target: float, mask: Tensor) -> Tensor:
    """logits (B, 1, T_text), mask (B, 1, T_text) -> (): squared difference from the target, per token."""
    return ((logits.float() - target).square() * mask).sum() / mask.float().sum()


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

register_loss(
    "subband_stft",
    stage="reconstruction",
    weight=1.0,
    description="Difference of the spectra of sub-bands, relative and of logarithms, at three resolutions.",
    source="Kawamura et al. 2022, section 3.2",
    on_request=True,
)(lambda segments: subband_stft_loss(segments.real_bands, segments.fake_bands))

register_loss(
    "duration_adversarial",
    stage="durations",
    weight=1.0,
    normalize_by="tokens",
    on_request=True,
    description="Least squares of the duration discriminator's logits on predicted durations to 1, per token.",
    source="VITS2, section 2.1",
)(lambda out: token_least_squares(out.logits, 1, out.mask))

register_loss(
    "own_speech",
    stage="own_speech",
    weight=0.5,
    normalize_by="frames",
    on_request=True,
    description="Negative log likelihood of the latents of the base model's own speech, in nats per frame.",
)(lambda out: out.latents.shape[1] * negative_log_likelihood(out.latents, out.mean, out.log_std, out.weight))

register_loss(
    "pitch",
    stage="pitch",
    weight=20.0,
    normalize_by="frames",
    on_request=True,
    description="Difference of the pitch that is read in latents from that of the recordings, in octaves per frame.",
)(lambda out: pitch_loss(out.octaves, out.target, out.voiced, out.mask))

register_loss(
    "voicing",
    stage="pitch",
    weight=2.5,
    normalize_by="frames",
    on_request=True,
    description="Cross entropy of the voicing that is read in latents, in nats per frame.",
)(lambda out: voicing_loss(out.voicing, out.voiced, out.mask))

register_loss(
    "converted_spectrum",
    stage="conversion",
    weight=2.5,
    on_request=True,
    description="Difference of the spectra of converted speech, relative and of logarithms, at three resolutions.",
    source="Yamamoto et al. 2020",
)(lambda segments: spectrum_loss(segments.real, segments.fake))

register_loss(
    "converted_waveform",
    stage="conversion",
    weight=7.5,
    on_request=True,
    description="Absolute difference of the samples of converted speech.",
)(lambda segments: F.l1_loss(segments.fake.float(), segments.real.float()))

register_loss(
    "unpaired_adversarial",
    stage="unpaired",
    weight=1.0,
    on_request=True,
    description="Least squares to 1 of the discriminators' logits on speech of other texts than the recordings.",
    source="Mao et al. 2017",
)(lambda out: adversarial_loss(out.fake.logits))
