"""DistillationArguments: settings of `hf-vits distill`."""

from dataclasses import dataclass

from hf_vits.configuration_decoders import DECODERS
from hf_vits.training.model_and_data_arguments import named_discriminators
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.formatting import quoted
from hf_vits.utils.setting_fields import Count, Mapping, Positive, option


@dataclass
class DistillationArguments(VitsTrainingArguments):
    """
    Settings of a distillation: those of a training, with defaults of its own.

    Raises:
        ValueError: for a value out of range, or a decoder or discriminator that does not exist.
    """

    decoder: Mapping | str = option("vocos", "New decoder: its name, or a JSON object with its type and sizes.")
    discriminator_config: Mapping | str = option(
        "multi_resolution",
        "Configuration of the discriminators, before discriminator_channel_multiplier: names, or a JSON object.",
    )
    max_steps: Count = option(20000, "Steps to train for.")
    per_device_train_batch_size: Count = option(8, "Segments per step and process.")
    segment_frames: Count = option(64, "Spectrogram frames of a segment; memory grows with it.")
    learning_rate: Positive = option(5e-4, "Learning rate; that of the discriminator may differ.")
    lr_decay: Positive = option(0.95, "Factor on the learning rate after each thousand steps.")
    eval_steps: Count = option(1000, "Steps between two evaluations.")
    save_steps: Count = option(500, "Steps between two checkpoints.")

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.decoder, str):
            self.decoder = {"type": self.decoder}
        if self.decoder.get("type") not in DECODERS:
            raise ValueError(
                f"`decoder` is {quoted(dict(self.decoder))}; its `type` must be one of {', '.join(DECODERS)}."
            )
        if isinstance(self.discriminator_config, str):
            self.discriminator_config = named_discriminators(self.discriminator_config)
