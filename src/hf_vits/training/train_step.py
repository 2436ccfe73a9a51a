"""One step of adversarial training: first the discriminator's move, then the generator's (paper, section 2.3)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hf_vits.data.batch import VitsBatch
from hf_vits.discriminators.modeling_discriminator import DiscriminatorOutput, VitsDiscriminator
from hf_vits.modules.sampling import seed_of
from hf_vits.training.generator import AlignmentOutput, Posterior, Segments, VitsGenerator
from hf_vits.training.losses import adversarial_loss, discriminator_loss, feature_loss, kl_loss, mel_loss
from hf_vits.training.optimizer import OptimizedModel
from hf_vits.training.process import hold_free_memory, return_free_memory
from hf_vits.training.training_arguments import LossWeights, VitsTrainingArguments


def clip_generators(seed: int, step: int, rows: Tensor) -> list[torch.Generator]:
    """rows int64 (B,), their numbers in the data set -> a generator for each, on the rows' device."""
    return [torch.Generator(rows.device).manual_seed(seed_of(seed, step, row)) for row in rows.tolist()]


@dataclass
class StepResult:
    """Losses by name, each () and summed over the step's batches; whether both gradients were finite; and whether any
    process was asked to stop."""

    losses: dict[str, Tensor]
    finite: bool
    stop: bool


@dataclass(frozen=True)
class LossNormalizer:
    """
    What a batch counts in a step: its part of all clips, tokens and frames, times the number of processes.

    Each term is a mean over a batch; so weighted, terms summed over batches and averaged over processes are the means
    over the joint batch, whatever the lengths.
    """

    clips: Tensor
    tokens: Tensor
    frames: Tensor

    def weigh(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Terms of the generator by name, each () -> the same, each times its factor."""
        factors = {"kl": self.frames, "duration": self.tokens}
        return {name: term * factors.get(name, self.clips) for name, term in terms.items()}


@dataclass
class GeneratorForward:
    """What is heard of a batch; the posterior and, cut from it, what was decoded; and the noise, of which the durations
    get what comes next."""

    batch: VitsBatch
    noise: list[torch.Generator]
    posterior: Posterior
    leaves: Posterior
    slices: Segments


class TrainingStep:
    """
    Both players' moves on the same batches.

    Args:
        generator, discriminator ([`OptimizedModel`]):
            Of a [`VitsGenerator`] and a [`VitsDiscriminator`].
        config ([`VitsTrainingArguments`]):
            Settings.
        accelerator (`Accelerator`):
            Says device, precision and processes.
    """

    def __init__(
        self,
        generator: OptimizedModel,
        discriminator: OptimizedModel,
        config: VitsTrainingArguments,
        accelerator: Accelerator,
    ):
        self.generator, self.discriminator = generator, discriminator
        self.config, self.accelerator = config, accelerator
        self.average = self._mean if accelerator.num_processes > 1 else None
        if accelerator.device.type == "cpu":
            hold_free_memory()

    def __call__(self, batches: Sequence[VitsBatch], step: int, epoch: int, stop: bool = False) -> StepResult:
        """The batches of one step, its number and epoch, and whether this process wishes to stop after it."""
        shares, stop = self._shares(batches, stop)
        rate, scaler = self.config.rate_factor(step, epoch), self.accelerator.scaler
        losses: dict[str, Tensor] = {}

        def heard(learns: bool) -> Iterator[GeneratorForward]:
            for number, batch in enumerate(batches):
                yield self._generate(batch, step, number, learns)

        # One batch's graph serves both moves. Several would not fit: each is made again, with the same noise.
        kept = list(heard(True)) if len(batches) == 1 and self.generator.is_trained else None
        if self.discriminator.is_trained:
            for one, share in zip(kept or heard(False), shares, strict=True):
                _add(losses, {"discriminator": self._discriminator_backward(one.slices, share)})
        finite = self.discriminator.update(rate, self.average, scaler)
        if self.generator.is_trained:
            for one, share in zip(kept or heard(True), shares, strict=True):
                _add(losses, self._generator_backward(one, share))
        finite = self.generator.update(rate, self.average, scaler) and finite
        if scaler is not None:
            scaler.update()  # once for both, whose gradients it saw
        return StepResult(losses, finite, stop)

    def _generate(self, batch: VitsBatch, step: int, number: int, learns: bool) -> GeneratorForward:
        """What is heard of one batch; with a graph, cut behind the posterior, if the generator learns from it."""
        generator: VitsGenerator = self.generator.module
        seed = self.config.seed
        torch.manual_seed(seed_of(seed, step, number, self.accelerator.process_index))  # of dropout
        noise = clip_generators(seed, step, batch.rows)
        with self.accelerator.autocast(), torch.set_grad_enabled(learns):
            posterior = generator.posterior(batch, noise)
            leaves = posterior.cut()
            slices = generator.decode(batch, leaves, noise)
        if self.accelerator.device.type == "cpu":
            return_free_memory()  # of the places tried, here a step takes least time and memory
        return GeneratorForward(batch, noise, posterior, leaves, slices)

    def _discriminator_backward(self, slices: Segments, share: LossNormalizer) -> Tensor:
        """The discriminator's loss () on one batch; its gradient is added to what there is."""
        both, total = torch.cat([slices.real, slices.fake.detach()]), slices.real.new_zeros(())
        for judge in self.discriminator.module.sub_discriminators():
            with self.accelerator.autocast():
                real, fake = judge(both).logits[0].chunk(2)
            loss = discriminator_loss([real], [fake]) * share.clips
            self._backward(loss)
            total += loss.detach()
        return total

    def _generator_backward(self, heard: GeneratorForward, share: LossNormalizer) -> dict[str, Tensor]:
        """The generator's terms () of one batch; the gradient of their weighted sum is added to what there is.

        One part after the other is differentiated and forgotten: each judge, as far as the waveform; the decoder, with
        the sum of what they left there; what the text has to say; and the posterior encoder, with what both left.
        """
        generator: VitsGenerator = self.generator.module
        losses, at_waveform = self._adversarial_backward(heard.slices, share)
        terms = share.weigh(reconstruction_losses(heard.slices))
        self._backward(weighted_sum(terms, self.config.weights), (heard.slices.fake, at_waveform))
        _add(losses, terms)
        with self.accelerator.autocast():
            aligned = generator.align(heard.batch, heard.leaves, heard.noise)
        terms = share.weigh(prior_losses(aligned))
        self._backward(weighted_sum(terms, self.config.weights))
        self._backward_from(*heard.posterior.backward_roots(heard.leaves))
        return _add(losses, terms)

    def _adversarial_backward(self, slices: Segments, share: LossNormalizer) -> tuple[dict[str, Tensor], Tensor]:
        """What judges say of the generator's slices: terms (), and the scaled gradient of their weighted sum there,
        (B, 1, T_seg)."""
        judges: VitsDiscriminator = self.discriminator.module
        losses: dict[str, Tensor] = {}
        fake = slices.fake.detach().requires_grad_()
        with frozen(judges):  # otherwise their next move would follow the generator's gradient
            for judge in judges.sub_discriminators():
                with self.accelerator.autocast(), parametrize.cached():  # one weight serves both passes
                    with torch.no_grad():
                        real = judge(slices.real)
                    terms = share.weigh(adversarial_losses(real, judge(fake)))
                self._backward(weighted_sum(terms, self.config.weights))
                _add(losses, terms)
        return losses, fake.grad

    def _backward(self, loss: Tensor, *more: tuple[Tensor, Tensor]) -> None:
        """Adds the gradient of a loss (), and of tensors whose scaled gradients are given."""
        scaler = self.accelerator.scaler
        self._backward_from((loss if scaler is None else scaler.scale(loss), None), *more)

    def _backward_from(self, *roots: tuple[Tensor, Tensor | None]) -> None:
        """Goes backwards from tensors and their scaled gradients, None for one of (); frozen parts have none."""
        roots = [(tensor, gradient) for tensor, gradient in roots if tensor.requires_grad]
        if roots:
            torch.autograd.backward(*zip(*roots, strict=True))

    def _shares(self, batches: Sequence[VitsBatch], stop: bool) -> tuple[list[LossNormalizer], bool]:
        module: VitsGenerator = self.generator.module
        hop = module.model.config.hop_length
        counts = torch.tensor(
            [[len(b), int(b.text_lengths.sum()), int((b.waveform_lengths // hop).sum())] for b in batches],
            device=self.accelerator.device,
        )
        total = torch.cat([counts.sum(dim=0), counts.new_tensor([int(stop)])])
        if self.average is not None:
            total = self.accelerator.reduce(total, "sum")
        parts = counts * self.accelerator.num_processes / total[:3]
        return [LossNormalizer(*part) for part in parts], bool(total[3])

    def _mean(self, tensor: Tensor) -> Tensor:
        return self.accelerator.reduce(tensor, "mean")


def _add(losses: dict[str, Tensor], more: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for name, value in more.items():
        losses[name] = losses.get(name, 0) + value.detach()
    return losses


def adversarial_losses(real: DiscriminatorOutput, fake: DiscriminatorOutput) -> dict[str, Tensor]:
    """The generator's terms that judges decide, each (); those of all judges are the sums of each judge's."""
    return {
        "adversarial": adversarial_loss(fake.logits),
        "feature_matching": feature_loss(real.features, fake.features),
    }


def prior_losses(out: AlignmentOutput) -> dict[str, Tensor]:
    """The generator's terms that speak of the text, each (): what it predicts of the latents and of the durations."""
    return {
        "kl": kl_loss(out.prior_latents, out.posterior_log_std, out.prior_mean, out.prior_log_std, out.frame_mask),
        "duration": out.duration_loss,
    }


def reconstruction_losses(out: Segments) -> dict[str, Tensor]:
    """The generator's term that speaks of the waveform, (), and that no judge decides."""
    return {"mel": mel_loss(out.real_mel, out.fake_mel)}


def weighted_sum(terms: Mapping[str, Tensor], weights: LossWeights) -> Tensor:
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
