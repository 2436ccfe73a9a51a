"""Settings of a training run, each with its default, its meaning and its limits."""

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from hf_vits.data.dataset import ClipFilter
from hf_vits.data.joining import MIN_SECONDS
from hf_vits.discriminators.duration import DURATION_DISCRIMINATORS
from hf_vits.training.evaluation_arguments import LOSS_MEASURES, EvaluationArguments
from hf_vits.training.losses import LOSSES, default_weights
from hf_vits.utils.distributed import AUTO, PRECISIONS
from hf_vits.utils.formatting import nearest
from hf_vits.utils.setting_fields import (
    AnyPath,
    Count,
    Decay,
    Mapping,
    NotNegative,
    OneOf,
    OutputPath,
    Positive,
    Range,
    Whole,
    check_fields,
    option,
)

logger = logging.getLogger(__name__)

POSTERIOR_ENCODER = "posterior_encoder"
"""The module that `posterior_adaptation_steps` trains."""


@dataclass
class VitsTrainingArguments(EvaluationArguments):
    """
    Settings of a [`VitsTrainer`]; the defaults are the paper's where it has any (section 3.2).

    Raises:
        ValueError: for a value out of range; says which and what is allowed.
    """

    output_dir: OutputPath = option(
        "voice", "Folder of the trained model; it holds the checkpoints, samples and history, too."
    )
    seed: Whole = option(1234, "Seed of all randomness: order, segments, noise, dropout and new layers.")

    max_steps: Count = option(100_000, "Steps to train for; those before a run was resumed count.")
    max_steps_per_minute: Count | None = option(
        None, "Steps for a minute of recordings at most: with little data, a run is shorter than max_steps."
    )
    per_device_train_batch_size: Count = option(16, "Clips per process and forward pass.")
    max_batch_seconds: Positive | None = option(
        None,
        "Seconds of audio in a process's batch at most, padding included, to limit memory. Longer clips come in "
        "smaller batches.",
    )
    gradient_accumulation_steps: Count = option(
        1, "Batches per step; a step equals that of the joint batch, up to rounding."
    )
    cpu_threads: Count | None = option(None, "Threads of a process without a GPU; by default its share of the cores.")
    dataloader_num_workers: Whole = option(
        2, "Processes that decode audio, at most one for a stream; 0 decodes in the training process."
    )
    ddp_timeout: Positive = option(1800.0, "Seconds that a process waits for another one before the run ends.")
    segment_frames: Count = option(32, "Spectrogram frames decoded per clip and step; memory grows with it.")

    min_duration_seconds: NotNegative = option(ClipFilter.min_duration_seconds, "Shorter clips are dropped.")
    max_duration_seconds: Positive = option(ClipFilter.max_duration_seconds, "Longer clips are dropped.")
    max_tokens: Count = option(ClipFilter.max_tokens, "Clips with more tokens, blanks included, are dropped.")
    match_loudness: bool = option(
        False, "Scale all recordings by one factor, to the level at which the base model speaks."
    )
    join_clips_seconds: Annotated[float, Range(least=MIN_SECONDS)] | None = option(
        None,
        "Seconds up to which shorter clips of a speaker are joined to sentences, others in each epoch; by default none "
        "are.",
    )

    learning_rate: Positive = option(2e-4, "Learning rate; that of the discriminator may differ.")
    discriminator_learning_rate: Positive | None = option(None, "Learning rate of the discriminator, if different.")
    learning_rate_multipliers: Mapping = option(
        "{}", 'JSON object: factors on the rate of generator modules, by the start of their names, as {"flow": 0.5}.'
    )
    adam_beta1: Decay = option(0.8, "Decay of the first moment.")
    adam_beta2: Decay = option(0.99, "Decay of the second moment.")
    adam_epsilon: Positive = option(1e-9, "Added to the root of the second moment.")
    weight_decay: NotNegative = option(0.01, "Decoupled weight decay of generator and discriminator.")
    lr_decay: Positive = option(0.999875, "Factor on the learning rate after each epoch.")
    warmup_steps: Whole = option(0, "Steps in which the learning rate rises from zero.")
    max_grad_norm: Positive | None = option(None, "Norm to which each model's gradient is clipped; by default none.")

    loss_weights: Mapping = option(
        "{}",
        'JSON object: weights of losses by name, as {"mel": 30}; those of others stay '
        + ", ".join(f"{name} {weight:g}" for name, weight in default_weights().items())
        + ".",
    )

    freeze_modules: list[str] = option(
        [], "Modules that are not trained, by the start of their names, as flow.flows.0."
    )
    fit_speaking_rate: bool = option(
        False,
        "Make the saved model speak at the rate of the recordings by default; for a frozen duration predictor.",
    )
    new_module_steps: Whole = option(
        1000, "Steps in which only modules that the base model lacked are trained, and the rest is frozen."
    )
    posterior_adaptation_steps: Whole = option(
        0,
        "Steps in which only the posterior encoder learns, by its divergence from the frozen prior, and a new "
        "discriminator beside it: the encoder learns another speaker before the decoder does.",
    )
    adaptation_pairs: Whole = option(
        8,
        "Crops of the base model's own speech at the pitch of the recordings, whose latents it also learns in each of "
        "these steps, and with them the pitch of the recordings; 0: the divergence alone.",
    )
    conversion_steps: Whole = option(
        0,
        "Steps after these in which only the decoder learns, from the base model's own speech at the pitch, to the "
        "octave, and with the spectral envelopes of the recordings, and from discriminators of these.",
    )
    replay_batch_size: Whole = option(
        0,
        "Segments per step, beside those of the data, of the base model's own speech by speakers that the data lacks, "
        "so that the decoder keeps them.",
    )
    alignment_noise_scale: NotNegative = option(
        0.0,
        "Noise in the search of the alignment at step 0, in standard deviations of its scores; 0.01 in VITS2.",
    )
    alignment_noise_decay: NotNegative = option(2e-6, "What that loses in each step, down to 0.")
    duration_adversarial_steps: Whole = option(
        0,
        "Last steps, in which a deterministic duration predictor alone is trained, against a discriminator of "
        "durations, and all else is frozen (VITS2).",
    )
    duration_discriminator: str = option("convolutional", "Name of that discriminator.")
    ema_decay: Decay = option(0.999, "Decay of the generator's moving average, which is evaluated and saved; 0: none.")
    mixed_precision: Annotated[str, OneOf((*PRECISIONS, AUTO))] | None = option(
        None,
        "no, bf16, fp16 or auto; by default that of accelerate launch. auto is bf16 where the processor has units for "
        "it. Spectrograms, durations, alignment and losses stay in float32.",
    )
    gradient_checkpointing: bool = option(False, "Recompute activations in the backward pass, to save memory.")
    discriminator_channel_multiplier: Positive = option(
        1.0, "Factor on the channels of a new discriminator; 0.25 is recommended on a CPU."
    )

    logging_steps: Count = option(10, "Steps between two lines of the history.")
    eval_steps: Count = option(1000, "Steps between two evaluations.")
    max_eval_samples: Count = option(16, "Clips that are evaluated at most.")
    save_steps: Count = option(1000, "Steps between two checkpoints.")
    save_total_limit: Count = option(2, "Newest checkpoints that are kept.")
    report_to: list[str] = option(["tensorboard"], "Trackers of Accelerate: tensorboard, wandb, …; all, or none.")

    renamed: ClassVar[dict[str, str]] = {
        "adversarial_weight": "loss_weights",
        "batch_size": "per_device_train_batch_size",
        "discriminator_width": "discriminator_channel_multiplier",
        "duration_weight": "loss_weights",
        "epoch_decay": "lr_decay",
        "evaluate_every": "eval_steps",
        "evaluation_clips": "max_eval_samples",
        "feature_matching_weight": "loss_weights",
        "features_weight": "loss_weights",
        "freeze": "freeze_modules",
        "fresh_steps": "new_module_steps",
        "held_out_split": "eval_split",
        "kl_weight": "loss_weights",
        "log_every": "logging_steps",
        "max_seconds": "max_duration_seconds",
        "mel_weight": "loss_weights",
        "min_seconds": "min_duration_seconds",
        "num_workers": "dataloader_num_workers",
        "process_timeout": "ddp_timeout",
        "save_every": "save_steps",
    }
    """Former names of settings, which a file or command line gets an error for, with the names they have now."""

    def __post_init__(self):
        check_fields(self)
        self.report_to = tracker_names(self.report_to)
        self.check_evaluation(self.eval_steps, self.save_steps)
        _check_loss_weights(self.loss_weights)
        _check_multipliers(self.learning_rate_multipliers)
        if self.min_duration_seconds >= self.max_duration_seconds:
            raise ValueError(
                f"`min_duration_seconds` is {self.min_duration_seconds:g}, which is not below `max_duration_seconds`, "
                f"{self.max_duration_seconds:g}."
            )
        self._check_duration_steps()
        if self.posterior_adaptation_steps and any(name.startswith(POSTERIOR_ENCODER) for name in self.freeze_modules):
            raise ValueError(
                f"`posterior_adaptation_steps` is {self.posterior_adaptation_steps}, but `freeze_modules` has "
                f"{self.freeze_modules}: leave {POSTERIOR_ENCODER} out of them, or adapt it for 0 steps."
            )
        if self.conversion_steps and "decoder" in self.freeze_modules:
            raise ValueError(
                f"`conversion_steps` is {self.conversion_steps}, but `freeze_modules` has decoder, which they train: "
                "leave decoder out of them, or convert for 0 steps."
            )
        if self.posterior_adaptation_steps and not self.weights["kl"]:
            raise ValueError(
                f"`posterior_adaptation_steps` is {self.posterior_adaptation_steps}, but `loss_weights` has kl with 0, "
                "which it learns the words by: give that a weight above 0, or adapt for 0 steps."
            )
        if self.join_clips_seconds and self.join_clips_seconds > self.max_duration_seconds:
            raise ValueError(
                f"`join_clips_seconds` is {self.join_clips_seconds:g}, beyond `max_duration_seconds`, "
                f"{self.max_duration_seconds:g}."
            )

    def _check_duration_steps(self) -> None:
        """Raise `ValueError` if the last steps are more than all, or would train nothing."""
        steps = self.duration_adversarial_steps
        DURATION_DISCRIMINATORS[self.duration_discriminator]  # raises for an unknown one
        if steps > self.max_steps:
            raise ValueError(f"`duration_adversarial_steps` is {steps}, beyond `max_steps`, {self.max_steps}.")
        if steps and "duration_predictor" in self.freeze_modules:
            raise ValueError(
                f"`duration_adversarial_steps` is {steps}, but `freeze_modules` has duration_predictor, which they "
                "train: leave it out of them, or train for 0 such steps."
            )
        depends_on_durations = any(name == "duration" or name not in LOSS_MEASURES for name in self.best_metrics)
        if steps and self.load_best_model_at_end and not depends_on_durations:
            raise ValueError(
                f"`load_best_model_at_end` chooses by {self.best_metrics[0]}, which the last steps "
                f"(`duration_adversarial_steps`, {steps}) do not change, so that what they learn would be lost. Choose "
                "by duration, or by one of `eval_metrics`, or leave `load_best_model_at_end` out."
            )

    def warn_of_unchanged_voice(self) -> None:
        """Log a warning if the run ends before it trains anything that speaks."""
        if self.posterior_adaptation_steps >= self.max_steps:
            logger.warning(
                f"`max_steps` is {self.max_steps}, and the first {self.posterior_adaptation_steps} steps adapt the "
                "posterior encoder alone (`posterior_adaptation_steps`): the voice will speak as before. Train longer."
            )

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each registered loss by name."""
        return default_weights() | self.loss_weights

    @property
    def clip_filter(self) -> ClipFilter:
        """The limits of clips."""
        return ClipFilter(self.min_duration_seconds, self.max_duration_seconds, self.max_tokens)

    @property
    def learning_rates(self) -> tuple[float, float]:
        """The rates of generator and discriminator, before warm-up and decay."""
        return self.learning_rate, self.discriminator_learning_rate or self.learning_rate

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name."""
        return asdict(self)


@dataclass
class RunOptions:
    """
    Options of one call of the training script, beside the settings of the run; named as in `TrainingArguments`.

    Raises:
        ValueError: for a value of another type, or a name that no repository can have.
    """

    resume_from_checkpoint: AnyPath | None = option(
        None, 'Checkpoint to resume from; "latest" is the newest in output_dir, if there is any.'
    )
    push_to_hub: bool = option(
        False, "Upload the finished voice to the Hub.", "Name the repository with `hub_model_id`."
    )
    hub_model_id: str | None = option(None, "Repository to upload to, such as org/voice; by default output_dir's name.")
    hub_private_repo: bool | None = option(None, "Make a new repository private; by default your account decides.")

    def __post_init__(self):
        check_fields(self)
        if self.hub_model_id is not None:
            from huggingface_hub.utils import validate_repo_id

            validate_repo_id(self.hub_model_id)


def _check_loss_weights(weights: dict[str, Any]) -> None:
    """Raise `ValueError` for a loss that is unknown, and for a weight that is none."""
    for name, weight in weights.items():
        LOSSES[name]  # raises for an unknown one
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
            raise ValueError(f"`loss_weights` has {name!r} with {weight!r}; a weight is a finite number from 0 up.")


def _check_multipliers(multipliers: dict[str, Any]) -> None:
    """Raise `ValueError` for a factor that is not a number, 0 or above; names are checked against the model's."""
    for name, factor in multipliers.items():
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 <= factor < math.inf:
            raise ValueError(
                f"`learning_rate_multipliers` has {name!r} with {factor!r}; a factor is a finite number, 0 or above. "
                "What is not to be trained at all, nor adapted, belongs in `freeze_modules`."
            )


def tracker_names(names: Sequence[str]) -> list[str]:
    """
    List the trackers that `report_to` names, as Accelerate calls them; "none" is none of them.

    Raises:
        ValueError: for a name that Accelerate does not have; says which it has.
    """
    names = list(dict.fromkeys(name.lower() for name in names))
    if names in ([], ["none"]):
        return []
    from accelerate.utils import LoggerType

    known = [tracker.value for tracker in LoggerType]
    for name in names:
        if name not in known:
            reason = "cannot be combined" if name == "none" else f"is no tracker of Accelerate{nearest(name, known)}"
            raise ValueError(
                f"`report_to` is {list(names)}, where {name!r} {reason}. There are {', '.join(known)}, and none."
            )
    return names
