"""Everything a training run can be told, each setting with its default, its meaning and its limits."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from hf_vits.options import option
from hf_vits.training.data import Limits
from hf_vits.training.terms import Weights

PRECISIONS = ("no", "bf16", "fp16")


@dataclass
class VitsTrainingConfig:
    """
    Settings of a [`VitsTrainer`]; the defaults are the paper's where it has any (section 3.2).

    Raises:
        ValueError: for a value out of range; says which and what is allowed.
    """

    output_dir: str = option("voice", "Folder of the trained voice, its checkpoints, samples and history.")
    seed: int = option(1234, "Of everything random: order, slices, noise, dropout and new layers.")

    max_steps: int = option(100_000, "Steps to train for, counted over all runs that are resumed.")
    batch_size: int = option(16, "Clips per process and forward pass.")
    max_batch_seconds: float | None = option(
        None,
        "Most seconds of sound in a process's batch, padding included: a limit of its memory. Longer clips then come "
        "in smaller batches.",
    )
    gradient_accumulation_steps: int = option(1, "Batches per step; a step is that of the joint batch, to rounding.")
    cpu_threads: int | None = option(None, "Threads of a process without a GPU; its share of the cores if not set.")
    num_workers: int = option(2, "Processes that decode audio, of a stream one at most; 0 decodes in the training one.")
    segment_frames: int = option(32, "Spectrogram frames decoded per clip and step; memory grows with it.")

    min_seconds: float = option(Limits.min_seconds, "Shorter clips are left out.")
    max_seconds: float = option(Limits.max_seconds, "Longer clips are left out.")
    max_tokens: int = option(Limits.max_tokens, "Clips with more tokens, blanks included, are left out.")

    learning_rate: float = option(2e-4, "Of both players.")
    discriminator_learning_rate: float | None = option(None, "Of the discriminator, if another.")
    adam_beta1: float = option(0.8, "First moment's decay.")
    adam_beta2: float = option(0.99, "Second moment's decay.")
    adam_epsilon: float = option(1e-9, "Added to the root of the second moment.")
    weight_decay: float = option(0.01, "Decoupled, of both players.")
    epoch_decay: float = option(0.999875, "Factor on the learning rate after each epoch.")
    warmup_steps: int = option(0, "Steps in which the learning rate rises from zero.")
    max_grad_norm: float | None = option(None, "Longest gradient of each player; none is clipped if not set.")

    adversarial_weight: float = option(Weights.adversarial, "Of the least-squares adversarial term.")
    features_weight: float = option(Weights.features, "Of the feature-matching term.")
    mel_weight: float = option(Weights.mel, "Of the L1 distance between log-mels.")
    kl_weight: float = option(Weights.kl, "Of the divergence between posterior and prior.")
    duration_weight: float = option(Weights.duration, "Of the duration predictor's term.")

    freeze: list[str] = option([], "Modules that are not trained, by the start of their names, as flow.flows.0.")
    fresh_steps: int = option(
        1000, "Steps in which only parts that the starting point lacked are trained, against the frozen rest."
    )
    ema_decay: float = option(0.999, "Of the generator's moving average, which is evaluated and saved; 0 for none.")
    mixed_precision: str = option("no", "no, bf16 or fp16; spectra, durations, alignment and losses stay in float32.")
    gradient_checkpointing: bool = option(False, "Compute activations again in the backward pass, to save memory.")
    discriminator_width: float = option(
        1.0, "Factor on the channels of new discriminators; 0.25 makes training on a CPU bearable."
    )

    log_every: int = option(10, "Steps between two lines of the history.")
    evaluate_every: int = option(1000, "Steps between two evaluations on held-out clips.")
    evaluation_clips: int = option(16, "Most held-out clips that are evaluated.")
    save_every: int = option(1000, "Steps between two checkpoints.")
    save_total_limit: int = option(2, "Newest checkpoints that are kept.")
    report_to: list[str] = option(["tensorboard"], "Trackers of Accelerate: tensorboard, wandb, …")

    def __post_init__(self):
        above_zero = (
            *("max_steps", "batch_size", "gradient_accumulation_steps", "segment_frames", "learning_rate"),
            *("max_seconds", "max_tokens", "adam_epsilon", "epoch_decay", "discriminator_width", "log_every"),
            *("evaluate_every", "evaluation_clips", "save_every", "save_total_limit"),
            *("max_batch_seconds", "discriminator_learning_rate", "max_grad_norm", "cpu_threads"),
        )
        for item in fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            if not math.isfinite(value) or value < 0 or (value == 0 and item.name in above_zero):
                least = "above 0" if item.name in above_zero else "from 0 up"
                raise ValueError(f"`{item.name}` is {value}; it must be a finite number {least}.")
        for name in ("adam_beta1", "adam_beta2", "ema_decay"):
            if getattr(self, name) >= 1:
                raise ValueError(f"`{name}` is {getattr(self, name)}; it must be below 1.")
        if self.min_seconds >= self.max_seconds:
            raise ValueError(f"`min_seconds` is {self.min_seconds}, not below `max_seconds`, {self.max_seconds}.")
        if self.mixed_precision not in PRECISIONS:
            raise ValueError(f"`mixed_precision` is {self.mixed_precision!r}; it must be one of {PRECISIONS}.")

    @property
    def weights(self) -> Weights:
        """The weight of each of the generator's terms, by the term's name."""
        return Weights(**{item.name: getattr(self, f"{item.name}_weight") for item in fields(Weights)})

    @property
    def limits(self) -> Limits:
        """What a clip must be."""
        return Limits(self.min_seconds, self.max_seconds, self.max_tokens)

    @property
    def learning_rates(self) -> tuple[float, float]:
        """Of the generator and the discriminator, before warm-up and decay."""
        return self.learning_rate, self.discriminator_learning_rate or self.learning_rate

    def rate_factor(self, step: int, epoch: int) -> float:
        """What the learning rates are multiplied with in a step: warm-up by steps, decay by epochs."""
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        return warm * self.epoch_decay**epoch

    def to_dict(self) -> dict[str, Any]:
        """Settings by name."""
        return asdict(self)
