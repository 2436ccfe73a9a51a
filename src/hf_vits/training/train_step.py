"""One step of adversarial training: the discriminator is updated, then the generator (paper, section 2.3).

The backward passes are split to save memory: each sub-discriminator is differentiated as far as the generated waveform,
then the decoder, then the prior, and at last the posterior encoder. The sum of the gradients is that of the sum of all
losses.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hf_vits.data.batch import VitsBatch
from hf_vits.discriminators.base import DiscriminatorOutput
from hf_vits.modules.sampling import seed_of
from hf_vits.training.converted_speech import SpeechConversion
from hf_vits.training.generator import Posterior, Segments, VitsGenerator
from hf_vits.training.losses import LOSSES, discriminator_loss, losses_of
from hf_vits.training.optimizer import OptimizedModel, learning_rate_factor
from hf_vits.training.phases import Phase
from hf_vits.training.posterior_adaptation import PosteriorAdaptation
from hf_vits.training.process import hold_free_memory, return_free_memory
from hf_vits.training.replay import Replay
from hf_vits.training.training_arguments import VitsTrainingArguments


@dataclass
class StepResult:
    """Losses by name, each () and summed over the step's batches; and `finite`, if both gradients were."""

    losses: dict[str, Tensor]
    finite: bool


@dataclass(frozen=True)
class LossNormalizer:
    """
    Share of a batch in a step: its part of all clips, tokens and frames, times the number of processes.

    Each loss is a mean over a batch. Weighted so, losses that are summed over batches and averaged over processes are
    the means over the joint batch, whatever the lengths.
    """

    clips: Tensor
    tokens: Tensor
    frames: Tensor

    def normalize(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses of the generator by name, each () -> each times the share of what it is a mean over."""
        return {name: loss * getattr(self, LOSSES[name].normalize_by) for name, loss in losses.items()}


@dataclass
class GeneratorForward:
    """Generator outputs for one micro-batch: the posterior, a copy of it without its graph, and the segments decoded
    from that copy, if any are needed; and the random generators that alignment and duration predictor draw from next,
    with the scale of the alignment's noise. Where the decoder alone is trained, there are only segments; and if these
    are of converted speech, segments of recordings (B, 1, T_seg), which a discriminator compares them with."""

    batch: VitsBatch
    noise: list[torch.Generator]
    posterior: Posterior | None
    detached: Posterior | None
    segments: Segments | None
    alignment_noise: float = 0.0
    recorded: Tensor | None = None


@dataclass(frozen=True)
class UnpairedOutput:
    """What a sub-discriminator says of generated segments that no recording belongs to."""

    fake: DiscriminatorOutput
    requested_losses: tuple[str, ...] = ("unpaired_adversarial",)


class TrainingStep:
    """
    Update discriminator and generator on the same batches.

    Args:
        generator, discriminator ([`OptimizedModel`]):
            Of a [`VitsGenerator`] and a [`VitsDiscriminator`].
        config ([`VitsTrainingArguments`]):
            Settings.
        accelerator (`Accelerator`):
            Gives device, precision and processes.
        replay ([`Replay`], *optional*):
            Segments of other speakers that each batch is joined by.
        adaptation ([`PosteriorAdaptation`], *optional*):
            What an adapted posterior encoder is compared with beside the prior.
        conversion ([`SpeechConversion`], *optional*):
            Converted own speech that the decoder learns before recordings.
    """

    def __init__(
        self,
        generator: OptimizedModel,
        discriminator: OptimizedModel,
        config: VitsTrainingArguments,
        accelerator: Accelerator,
        replay: Replay | None = None,
        adaptation: PosteriorAdaptation | None = None,
        conversion: SpeechConversion | None = None,
    ):
        self.generator, self.discriminator, self.replay = generator, discriminator, replay
        self.config, self.accelerator = config, accelerator
        self.adaptation, self.conversion = adaptation, conversion
        self._process_index = accelerator.process_index
        self.average = self._mean if accelerator.num_processes > 1 else None
        if accelerator.device.type == "cpu":
            hold_free_memory()

    def __call__(self, batches: Sequence[VitsBatch], step: int, epoch: int, phase: Phase = Phase.ALL) -> StepResult:
        """
        Take the step of this number and epoch on its batches.

        While the posterior encoder is adapted, the generator's losses are its divergence from the prior and those of
        its `adaptation`: what it infers from a new speaker's recordings comes to be what the base model infers from
        text, at the recordings' pitch, before the decoder learns from it. Its learning rate is then the full one. While
        the decoder learns converted speech, recordings are what the discriminator compares this with.
        """
        adapts = phase is Phase.ADAPTATION
        for part, belongs in ((self.adaptation, Phase.ADAPTATION), (self.conversion, Phase.CONVERSION)):
            if part is not None and phase is not belongs:
                part.release()
        normalizers = self._normalizers(batches)
        rate, scaler = learning_rate_factor(self.config, step, epoch), self.accelerator.scaler
        losses: dict[str, Tensor] = {}

        def generate(with_graph: bool) -> Iterator[GeneratorForward]:
            for number, batch in enumerate(batches):
                yield self._generate(batch, step, number, with_graph, phase)

        # One batch's graph serves both updates. Several would not fit: each is computed twice, with the same noise.
        kept = list(generate(True)) if len(batches) == 1 and self.generator.is_trained else None

        if self.discriminator.is_trained:
            for output, normalizer in zip(kept or generate(False), normalizers, strict=True):
                add_losses(losses, {"discriminator": self._discriminator_backward(output, normalizer)})
        finite = self.discriminator.update(rate, self.average, scaler)

        if self.generator.is_trained:
            for output, normalizer in zip(kept or generate(True), normalizers, strict=True):
                backward = self._adaptation_backward if adapts else self._generator_backward
                add_losses(losses, backward(output, normalizer))
            if adapts and self.adaptation is not None:
                add_losses(losses, self._own_speech_backward(step))
        finite = self.generator.update(rate, self.average, scaler, multiplies=not adapts) and finite

        if scaler is not None:
            scaler.update()  # once for both optimizers, whose gradients it saw
        return StepResult(losses, finite)

    def _generate(self, batch: VitsBatch, step: int, number: int, with_graph: bool, phase: Phase) -> GeneratorForward:
        """Encode and decode one batch; the graph, if there is one, is cut behind the posterior. A step that `adapts`
        decodes for the discriminator alone, if that is trained."""
        generator: VitsGenerator = self.generator.module
        seed, adapts, draw = self.config.seed, phase is Phase.ADAPTATION, (step, number, self._process_index)
        torch.manual_seed(seed_of(seed, *draw))  # of dropout
        noise = clip_generators(seed, step, batch.rows)
        posterior = detached = segments = recorded = None
        with self.accelerator.autocast(), torch.set_grad_enabled(with_graph):
            if phase is Phase.CONVERSION:
                segments = self.conversion.segments(generator, *draw)
                recorded = generator.recorded_segments(batch, noise)
            elif generator.trains_decoder_alone:
                segments = generator.decode_windows(batch, noise)
            else:
                posterior = generator.posterior(batch, noise)
                detached = posterior.detached_copy()
                if not adapts or self.discriminator.is_trained:
                    with torch.set_grad_enabled(with_graph and not adapts):
                        segments = generator.decode(batch, detached, noise)
            if self.replay is not None and not adapts:
                segments = segments.joined(self.replay.segments(generator, *draw))
        if self.accelerator.device.type == "cpu":
            return_free_memory()  # of the places tried, here a step takes least time and memory
        scale = alignment_noise_scale(self.config, step)
        return GeneratorForward(batch, noise, posterior, detached, segments, scale, recorded)

    def _discriminator_backward(self, output: GeneratorForward, normalizer: LossNormalizer) -> Tensor:
        """Add the gradient of the discriminator's loss on one batch; return the loss ()."""
        real, fake = output.segments.real, output.segments.fake.detach()
        if output.recorded is not None:
            real, fake = output.recorded, self._converted(fake)
        both, total = torch.cat([real, fake]), real.new_zeros(())
        for sub_discriminator in self.discriminator.module.sub_discriminators():
            with self.accelerator.autocast():
                logits = sub_discriminator(both).logits[0].split([len(real), len(fake)])
            loss = discriminator_loss(logits[:1], logits[1:]) * normalizer.clips
            self._backward(loss)
            total += loss.detach()
        return total

    def _generator_backward(self, output: GeneratorForward, normalizer: LossNormalizer) -> dict[str, Tensor]:
        """Add the gradient of the weighted sum of the generator's losses on one batch; return each loss ()."""
        segments = output.segments
        if output.recorded is not None:
            return self._conversion_backward(segments, normalizer)
        losses, waveform_gradient = self._adversarial_backward(segments.fake, normalizer, segments.real)

        reconstruction = normalizer.normalize(losses_of("reconstruction", segments))
        self._backward(self._weighted_sum(reconstruction), (segments.fake, waveform_gradient))
        if output.posterior is None:
            return add_losses(losses, reconstruction)

        prior = self._prior_losses(output, normalizer)
        self._backward(self._weighted_sum(prior))

        self._backward_from(*output.posterior.backward_roots(output.detached))
        return add_losses(add_losses(losses, reconstruction), prior)

    def _adaptation_backward(self, output: GeneratorForward, normalizer: LossNormalizer) -> dict[str, Tensor]:
        """Add the gradient of the posterior's divergence from the prior on one batch, and of the losses of its pitch;
        return these losses ()."""
        losses = {"kl": self._prior_losses(output, normalizer)["kl"]}
        pitch = self.adaptation and self.adaptation.pitch(output.batch, output.detached)
        if pitch is not None:
            losses |= normalizer.normalize(losses_of("pitch", pitch))
        self._backward(self._weighted_sum(losses))
        self._backward_from(*output.posterior.backward_roots(output.detached))
        return add_losses({}, losses)

    def _conversion_backward(self, segments: Segments, normalizer: LossNormalizer) -> dict[str, Tensor]:
        """Add the gradient of the losses of converted speech; return these losses ()."""
        fake = self._converted(segments.fake)
        losses, waveform_gradient = self._adversarial_backward(fake, normalizer)
        paired = normalizer.normalize(losses_of("conversion", segments))
        self._backward(self._weighted_sum(paired), (fake, waveform_gradient))
        return add_losses(losses, paired)

    def _converted(self, waveforms: Tensor) -> Tensor:
        """waveforms (B, 1, T_seg) of a step's segments -> those of converted speech, without those of the replay."""
        return waveforms[: self.config.per_device_train_batch_size]

    def _own_speech_backward(self, step: int) -> dict[str, Tensor]:
        """Add the gradient of the loss of own speech, once a step; return the loss ()."""
        loss = losses_of("own_speech", self.adaptation.own_speech(step))
        self._backward(self._weighted_sum(loss))
        return loss

    def _prior_losses(self, output: GeneratorForward, normalizer: LossNormalizer) -> dict[str, Tensor]:
        with self.accelerator.autocast():
            generator: VitsGenerator = self.generator.module
            alignment = generator.align(output.batch, output.detached, output.noise, output.alignment_noise)
        return normalizer.normalize(losses_of("prior", alignment))

    def _adversarial_backward(
        self, waveform: Tensor, normalizer: LossNormalizer, real: Tensor | None = None
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Return the adversarial losses () of a generated waveform, and the scaled gradient of their weighted sum at
        it, both (B, 1, T_seg); `real` is what it should be, if that is known."""
        discriminator, losses = self.discriminator.module, {}
        fake = waveform.detach().requires_grad_()
        with frozen(discriminator):  # otherwise its next update would follow the generator's gradient
            for sub_discriminator in discriminator.sub_discriminators():
                with self.accelerator.autocast(), parametrize.cached():  # one weight serves both passes
                    if real is None:
                        compared = losses_of("unpaired", UnpairedOutput(sub_discriminator(fake)))
                    else:
                        with torch.no_grad():
                            target = sub_discriminator(real)
                        compared = losses_of("adversarial", target, sub_discriminator(fake))
                    adversarial = normalizer.normalize(compared)
                self._backward(self._weighted_sum(adversarial))
                add_losses(losses, adversarial)
        return losses, fake.grad

    def _weighted_sum(self, losses: Mapping[str, Tensor]) -> Tensor:
        return weighted_sum(losses, self.config.weights)

    def _backward(self, loss: Tensor, *more: tuple[Tensor, Tensor | None]) -> None:
        """Add the gradient of a loss (), and of tensors whose scaled gradients are given."""
        scaler = self.accelerator.scaler
        self._backward_from((loss if scaler is None else scaler.scale(loss), None), *more)

    def _backward_from(self, *roots: tuple[Tensor, Tensor | None]) -> None:
        """Differentiate tensors, each with its scaled gradient, None for a scalar; frozen parts are left out."""
        roots = [(tensor, gradient) for tensor, gradient in roots if tensor.requires_grad]
        if roots:
            torch.autograd.backward(*zip(*roots, strict=True))

    def _normalizers(self, batches: Sequence[VitsBatch]) -> list[LossNormalizer]:
        """Return the share of each batch in the step."""
        module: VitsGenerator = self.generator.module
        hop = module.model.config.hop_length
        counts = torch.tensor(
            [[len(b), int(b.text_lengths.sum()), int((b.waveform_lengths // hop).sum())] for b in batches],
            device=self.accelerator.device,
        )
        total = counts.sum(dim=0)
        if self.average is not None:
            total = self.accelerator.reduce(total, "sum")
        parts = counts * self.accelerator.num_processes / total
        return [LossNormalizer(*part) for part in parts]

    def _mean(self, tensor: Tensor) -> Tensor:
        return self.accelerator.reduce(tensor, "mean")


def alignment_noise_scale(config: VitsTrainingArguments, step: int) -> float:
    """Return the scale of the alignment's noise in the step of this number, from 0; it decreases to 0 (VITS2)."""
    return max(0.0, config.alignment_noise_scale - config.alignment_noise_decay * step)


def clip_generators(seed: int, step: int, rows: Tensor) -> list[torch.Generator]:
    """rows int64 (B,), their numbers in the data set -> a random generator for each, on the rows' device."""
    return [torch.Generator(rows.device).manual_seed(seed_of(seed, step, row)) for row in rows.tolist()]


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Losses by name -> ()."""
    return sum(weights[name] * loss for name, loss in losses.items())


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let no parameter of the module take a gradient inside; those that took none before take none after."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def add_losses(losses: dict[str, Tensor], more: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add losses by name, each (), to those in `losses`, without their graph, and return that."""
    for name, value in more.items():
        losses[name] = losses.get(name, 0) + value.detach()
    return losses
