"""The last steps of a run: the deterministic duration predictor learns from a discriminator of durations (VITS2).

All else is frozen, so that the durations are those of the voice that is saved.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hf_vits.data.batch import VitsBatch
from hf_vits.discriminators.duration import DURATION_DISCRIMINATORS
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.sampling import seed_of
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.initialization import ModelInitialization, seeded
from hf_vits.training.losses import losses_of, token_least_squares
from hf_vits.training.optimizer import OptimizedModel, learning_rate_factor
from hf_vits.training.phases import PREDICTOR, Phase, first_duration_step
from hf_vits.training.train_step import LossNormalizer, StepResult, TrainingStep, add_losses, clip_generators, frozen
from hf_vits.training.training_arguments import VitsTrainingArguments


@dataclass
class DurationOutput:
    """
    The input of losses of durations.

    Args:
        hidden (`Tensor` of shape `(B, H, T_text)`), speaker (`Tensor` of shape `(B, S, 1)`, *optional*):
            What durations depend on, without a gradient.
        mask (`Tensor` of shape `(B, 1, T_text)`):
            One at tokens, zero at padding.
        log_targets, log_durations (`Tensor` of shape `(B, 1, T_text)`):
            Logarithms of each token's frames by the alignment, and the predicted ones.
        logits (`Tensor` of shape `(B, 1, T_text)`, *optional*):
            Of the discriminator, on the predicted ones.
    """

    hidden: Tensor
    speaker: Tensor | None
    mask: Tensor
    log_targets: Tensor
    log_durations: Tensor
    logits: Tensor | None = None
    requested_losses: tuple[str, ...] = ("duration_adversarial",)


def duration_discriminator_of(
    args: VitsTrainingArguments, initialization: ModelInitialization
) -> OptimizedModel | None:
    """
    Return the discriminator of durations with its optimizer, newly initialized; None for a run without these steps.

    Raises:
        ValueError: if the posterior encoder, which aligns, or all of the model is new and would be frozen before it is
            trained.
    """
    steps = args.duration_adversarial_steps
    if not steps:
        return None
    before = first_duration_step(args)
    if initialization.provenance is None and not before:
        raise ValueError(
            f"`duration_adversarial_steps` is {steps}, all steps of the run, but the voice is new, and nothing else "
            "would be trained. Raise `max_steps`; a trained voice can have a run of such steps alone."
        )
    if initialization.new_parameters and before <= args.new_module_steps:
        raise ValueError(
            f"`duration_adversarial_steps` is {steps} of {args.max_steps} steps, but this voice lacks the posterior "
            f"encoder that aligns, and the first {args.new_module_steps} steps (`new_module_steps`) train that. Raise "
            "`max_steps`, or train durations in a run of their own later."
        )
    with seeded(args.seed):
        discriminator = DURATION_DISCRIMINATORS[args.duration_discriminator](initialization.model.config)
    return OptimizedModel(discriminator.to(initialization.model.device).train(), args.learning_rates[1], args)


def take_average(model: VitsModel, average: nn.Module, is_first: bool) -> None:
    """Give a model the parameters of its moving average, which is saved: it stays as it is, and durations are learned
    for it. The predictor's own are replaced before the first of these steps alone."""
    state = average.module.state_dict()
    kept = {name: value for name, value in state.items() if is_first or not name.startswith(f"{PREDICTOR}.")}
    model.load_state_dict(kept, strict=False)


class DurationStep(TrainingStep):
    """Update a discriminator of durations, then the duration predictor, on the same batches; arguments are those of
    [`TrainingStep`], with that discriminator."""

    def __call__(
        self, batches: Sequence[VitsBatch], step: int, epoch: int, phase: Phase = Phase.DURATIONS
    ) -> StepResult:
        """Take the step of this number and epoch; learning rates are the full ones."""
        rate, scaler = learning_rate_factor(self.config, step, epoch), self.accelerator.scaler
        shares, losses = self._normalizers(batches), {}
        outputs = [self._predict(batch, step, number) for number, batch in enumerate(batches)]
        for output, share in zip(outputs, shares, strict=True):
            loss = self._discriminator_loss(output) * share.tokens
            self._backward(loss)
            add_losses(losses, {"duration_discriminator": loss})
        finite = self.discriminator.update(rate, self.average, scaler)
        for output, share in zip(outputs, shares, strict=True):
            add_losses(losses, self._predictor_backward(output, share))
        finite = self.generator.update(rate, self.average, scaler, multiplies=False) and finite
        if scaler is not None:
            scaler.update()
        return StepResult(losses, finite)

    def _predict(self, batch: VitsBatch, step: int, number: int) -> DurationOutput:
        generator: VitsGenerator = self.generator.module
        noise = clip_generators(self.config.seed, step, batch.rows)
        with self.accelerator.autocast(), torch.no_grad():
            given = generator.aligned_text(batch, generator.posterior(batch, noise), noise)
        torch.manual_seed(seed_of(self.config.seed, step, number, self._process_index))  # of dropout
        hidden, mask = given.text.hidden.to(given.mask.dtype), given.mask
        predicted = generator.model.duration_predictor(hidden, mask, given.speaker, given.language)
        targets = torch.log(given.durations.unsqueeze(1).float() + 1e-6) * mask
        # Without a finite alignment there is no target: the step is then skipped in every process.
        targets = targets if bool(given.is_finite.all()) else targets * torch.nan
        return DurationOutput(hidden, given.speaker, mask, targets, predicted.float())

    def _discriminator_loss(self, output: DurationOutput) -> Tensor:
        """Return the discriminator's loss (): least squares to 1 for the alignment's durations, to 0 for predicted."""
        discriminator, given = self.discriminator.module, (output.hidden, output.mask)
        real = discriminator(*given, output.log_targets, output.speaker)
        fake = discriminator(*given, output.log_durations.detach(), output.speaker)
        return token_least_squares(real, 1, output.mask) + token_least_squares(fake, 0, output.mask)

    def _predictor_backward(self, output: DurationOutput, share: LossNormalizer) -> dict[str, Tensor]:
        discriminator = self.discriminator.module
        with frozen(discriminator):
            output.logits = discriminator(output.hidden, output.mask, output.log_durations, output.speaker)
            squared = (output.log_durations - output.log_targets).square() * output.mask
            plain = {"duration": squared.sum() / output.mask.sum()}
            losses = share.normalize(plain | losses_of("durations", output))
            self._backward(self._weighted_sum(losses))
        return losses
