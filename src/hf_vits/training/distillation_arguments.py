"""DistillationArguments: settings of `hf-vits distill`."""

from dataclasses import MISSING, dataclass, fields
from typing import ClassVar

from hf_vits.configuration_decoders import DECODERS
from hf_vits.training.losses import LOSSES
from hf_vits.training.model_and_data_arguments import named_discriminators
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.formatting import quoted
from hf_vits.utils.setting_fields import Count, Mapping, Positive, option


@dataclass
class DistillationArguments(VitsTrainingArguments):
    """
    Settings of a distillation: those of a training, with defaults of its own, for two cores without a GPU.

    Raises:
        ValueError: for a value out of range, a decoder or discriminator that does not exist, or a setting of `unused`
            that is not its default.
    """

    decoder: Mapping | str = option("vocos", "New decoder: its name, or a JSON object with its type and sizes.")
    discriminator_config: Mapping | str = option(
        "multi_resolution",
        "Configuration of the discriminators, before discriminator_channel_multiplier: names, or a JSON object.",
    )
    max_steps: Count = option(20000, "Steps to train for.")
    per_device_train_batch_size: Count = option(4, "Segments per step and process.")
    discriminator_channel_multiplier: Positive = option(
        0.5, "Factor on the channels of the discriminators, whose cost is most of a step's."
    )
    segment_frames: Count = option(64, "Spectrogram frames of a segment; memory grows with it.")
    learning_rate: Positive = option(5e-4, "Learning rate; that of the discriminator may differ.")
    lr_decay: Positive = option(0.95, "Factor on the learning rate after each thousand steps.")
    eval_steps: Count = option(1000, "Steps between two evaluations.")
    save_steps: Count = option(500, "Steps between two checkpoints.")

    unused: ClassVar[dict[str, str]] = {
        **dict.fromkeys(
            (
                *("dataloader_num_workers", "join_clips_seconds", "match_loudness", "max_batch_seconds"),
                *("max_duration_seconds", "max_eval_samples", "max_steps_per_minute", "max_tokens"),
                *("min_duration_seconds", "replay_batch_size"),
            ),
            "no recordings are read",
        ),
        **dict.fromkeys(
            (
                *("alignment_noise_scale", "alignment_noise_decay", "duration_adversarial_steps"),
                *("duration_discriminator", "fit_speaking_rate", "freeze_modules"),
                *("new_module_steps", "posterior_adaptation_steps", "adaptation_pairs", "conversion_steps"),
            ),
            "nothing but the decoder is trained, which is new",
        ),
    }
    """Settings of a training that have no effect here, with the reason."""

    def __post_init__(self):
        super().__post_init__()
        self._refuse_unused()
        if isinstance(self.decoder, str):
            self.decoder = {"type": self.decoder}
        if self.decoder.get("type") not in DECODERS:
            raise ValueError(
                f"`decoder` is {quoted(dict(self.decoder))}; its `type` must be one of {', '.join(DECODERS)}."
            )
        if isinstance(self.discriminator_config, str):
            self.discriminator_config = named_discriminators(self.discriminator_config)

    def _refuse_unused(self) -> None:
        """Raise `ValueError` for settings, losses and names of modules without effect."""
        for item in fields(self):
            default = item.default if item.default_factory is MISSING else item.default_factory()
            if item.name in self.unused and getattr(self, item.name) != default:
                raise ValueError(f"`{item.name}` has no effect here: {self.unused[item.name]}. Leave it out.")
        others = [name for name in self.loss_weights if LOSSES[name].stage not in ("adversarial", "reconstruction")]
        if others:
            raise ValueError(f"`loss_weights` has {', '.join(others)}, no loss of a decoder. Leave that out.")
        others = [name for name in self.learning_rate_multipliers if name.split(".")[0] != "decoder"]
        if others:
            raise ValueError(
                f"`learning_rate_multipliers` has {', '.join(others)}; nothing but the decoder is trained. Name parts "
                "of that, as decoder.head."
            )
        if self.load_best_model_at_end:
            measured = [*self.eval_metrics, *(name for name in LOSSES if LOSSES[name].stage == "reconstruction")]
            others = [name for name in self.best_metrics if name not in measured]
            if others:
                raise ValueError(
                    f"`metric_for_best_model` is {others[0]}, which is not measured here; give one of "
                    f"{', '.join(measured)}."
                )
