"""Generator and discriminator with their optimizers, the learning-rate schedule, and the moving average."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hf_vits.modeling_vits import VitsModel
from hf_vits.training.losses import ADAPTATION, CONVERSION, LOSSES, names_of_losses
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.parameter_names import matching_patterns, numbers_by_name

Average = Callable[[Tensor], Tensor]
"""A tensor -> its mean over all processes."""


OPTIONAL = ("embed_speaker",)
"""Modules that `freeze_modules` may name though a model of one speaker lacks them, so that a recipe suits any model."""


def learning_rate_factor(config: VitsTrainingArguments, step: int, epoch: int) -> float:
    """Return the factor on the learning rates: linear warm-up by steps, exponential decay by epochs."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    return warm * config.lr_decay**epoch


class OptimizedModel:
    """
    A module with its AdamW optimizer.

    Args:
        module (`nn.Module`):
            The generator or the discriminator.
        learning_rate (`float`):
            Before warm-up and decay.
        config ([`VitsTrainingArguments`]):
            The other settings of AdamW.
        multipliers (`Sequence[float]`, *optional*):
            Factor on the learning rate for each parameter; by default 1.
    """

    def __init__(
        self,
        module: nn.Module,
        learning_rate: float,
        config: VitsTrainingArguments,
        multipliers: Sequence[float] | None = None,
    ):
        self.module, self.learning_rate, self.max_norm = module, learning_rate, config.max_grad_norm
        self.parameters = list(module.parameters())
        multipliers = multipliers or [1.0] * len(self.parameters)
        # Groups are neighbors, so that the optimizer numbers parameters as the module does, whatever the multipliers.
        groups = [
            (key, list(group)) for key, group in groupby(zip(multipliers, self.parameters, strict=True), itemgetter(0))
        ]
        self.multipliers = [key for key, _ in groups]
        self.optimizer = torch.optim.AdamW(
            [{"params": [parameter for _, parameter in group]} for _, group in groups],
            learning_rate,
            betas=(config.adam_beta1, config.adam_beta2),
            eps=config.adam_epsilon,
            weight_decay=config.weight_decay,
            fused=True,
        )

    def broadcast_parameters(self) -> None:
        """Give every process the first one's parameters and buffers: only gradients are averaged from then on."""
        from accelerate.utils import broadcast  # part of an extra, which reading settings does not need

        for tensor in (*self.parameters, *self.module.buffers()):
            broadcast(tensor.data)

    @property
    def is_trained(self) -> bool:
        """Return True if any parameter takes a gradient."""
        return any(parameter.requires_grad for parameter in self.parameters)

    def update(
        self,
        rate_factor: float,
        average: Average | None = None,
        scaler: torch.amp.GradScaler | None = None,
        multiplies: bool = True,
    ) -> bool:
        """
        Take an optimizer step and clear the gradients; skip the step if they are not finite.

        Args:
            rate_factor (`float`):
                Multiplies the learning rate.
            average (`Callable`, *optional*):
                Averages a tensor over processes; needed if there are several.
            scaler (`torch.amp.GradScaler`, *optional*):
                The scaler of both losses. The caller calls its `update` after both optimizers.
            multiplies (`bool`, *optional*, defaults to `True`):
                Whether the parameters' own factors multiply the learning rate, too.

        Returns:
            `bool`: True if the gradients were finite.
        """
        with_gradient = [parameter for parameter in self.parameters if parameter.grad is not None]
        if not with_gradient:
            return True
        if average is not None:
            _average_gradients(with_gradient, average)
        if scaler is not None:
            scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(with_gradient, self.max_norm or float("inf"))
        finite = bool(torch.isfinite(norm))
        if finite:
            for group, multiplier in zip(self.optimizer.param_groups, self.multipliers, strict=True):
                group["lr"] = self.learning_rate * rate_factor * (multiplier if multiplies else 1)
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return finite


def check_modules(model: VitsModel, args: VitsTrainingArguments) -> list[float]:
    """Return the factor on the learning rate for each parameter; raise `ValueError` for a module or loss in the
    settings that the model does not have, or if all modules are frozen."""
    _check_losses(model, args)
    if args.duration_adversarial_steps and model.config.use_stochastic_duration_prediction:
        raise ValueError(
            f"`duration_adversarial_steps` is {args.duration_adversarial_steps}, but this voice has the stochastic "
            "duration predictor, whose loss is a likelihood: only the deterministic one can be trained against a "
            "discriminator. Make the voice with `use_stochastic_duration_prediction` false, or leave the steps out."
        )
    names = [name for name, _ in model.named_parameters()]
    frozen = matching_patterns(names, args.freeze_modules, "freeze_modules", OPTIONAL)
    if all(any(pattern.match(name) for pattern in frozen) for name in names):
        raise ValueError(
            f"`freeze_modules` is {args.freeze_modules}, which are all modules of the voice, so that it would not "
            "change. Leave out those to train, such as decoder."
        )
    return list(numbers_by_name(names, args.learning_rate_multipliers, 1.0, "learning_rate_multipliers").values())


def _check_losses(model: VitsModel, args: VitsTrainingArguments) -> None:
    """Raise `ValueError` for a loss on request in the settings that the decoder is not trained with."""
    there = names_of_losses(model.config.decoder_config.losses)
    there += ["duration_adversarial"] if args.duration_adversarial_steps else []
    stages = ADAPTATION if args.posterior_adaptation_steps and args.adaptation_pairs else ()
    stages += CONVERSION if args.conversion_steps else ()
    there += [name for name, loss in LOSSES.items() if loss.stage in stages]
    settings = {"loss_weights": args.loss_weights, "metric_for_best_model": args.best_metrics}
    for setting, names in settings.items():
        if others := [name for name in names if name in LOSSES and name not in there]:
            raise ValueError(
                f"`{setting}` has {others[0]}, which this run does not compute: it belongs to another decoder than "
                f"{model.config.decoder_type}, or to steps that are not asked for. Leave it out."
            )


def train_only(module: nn.Module, trained: Iterable[str] | None, frozen: Sequence[str] = ()) -> None:
    """
    Set which parameters take gradients.

    Args:
        module (`nn.Module`):
            Module of the parameters.
        trained (`Iterable[str]`, *optional*):
            Names of the parameters to train; `None` for all.
        frozen (`Sequence[str]`, *optional*):
            Names of modules or parameters to exclude, each from the start of a name to a dot or the end.

    Raises:
        ValueError: if a frozen name matches nothing; lists the modules.
    """
    patterns = matching_patterns([name for name, _ in module.named_parameters()], frozen, "freeze_modules", OPTIONAL)
    wanted = set((name for name, _ in module.named_parameters()) if trained is None else trained)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name in wanted and not any(pattern.match(name) for pattern in patterns))


def _average_gradients(parameters: Sequence[nn.Parameter], average: Average) -> None:
    """Replace gradients by their means over processes, as one flat tensor.

    Used in place of DistributedDataParallel, whose hooks allow neither of two things: the discriminator runs three
    times a step and takes gradients in one of them, and the modules that are trained change during a run.
    """
    flat = torch.cat([parameter.grad.flatten() for parameter in parameters])
    parts = average(flat).split([parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)


def moving_average(model: VitsModel, decay: float) -> AveragedModel:
    """
    Return a copy of the model that `update_parameters` turns into the exponential moving average.

    Args:
        model ([`VitsModel`]):
            The model to follow.
        decay (`float`):
            Part of the average that an update keeps. The first updates keep less, so that after a short run the initial
            parameters do not dominate.
    """

    def blend(averaged: list[Tensor], current: list[Tensor], updates: Tensor) -> None:
        count = int(updates)
        get_ema_multi_avg_fn(min(decay, (1 + count) / (10 + count)))(averaged, current, updates)

    average = AveragedModel(model, multi_avg_fn=blend)
    average.requires_grad_(False)
    return average
