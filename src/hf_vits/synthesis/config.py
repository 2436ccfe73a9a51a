"""The settings of synthesis, with their defaults, descriptions and limits."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from huggingface_hub.utils import validate_repo_id

from hf_vits.pipeline import MAX_PAUSE
from hf_vits.utils.precision import DTYPES
from hf_vits.utils.setting_fields import (
    AnyPath,
    Count,
    NameOrNumber,
    NotNegative,
    OneOf,
    OutputPath,
    Positive,
    Range,
    Whole,
    check_fields,
    option,
)


@dataclass
class SynthesisSettings:
    """
    Settings of [`synthesize`]. The sound of a row does not depend on `per_device_eval_batch_size` and
    `cpu_threads`.

    Raises:
        ValueError: for a value out of range; says which and what is allowed.
    """

    dataset_name: AnyPath = option(
        "", "File, folder or data set of the Hub; files are CSV, TSV, JSON, text or Parquet."
    )
    dataset_config_name: str | None = option(None, "Configuration of a data set of the Hub.")
    split: str = option("train", "Split to speak; train[:100] is its first hundred rows.")
    text_column: str = option("text", "Column of the texts.")
    output_dir: OutputPath = option("spoken", "Folder of the speech; a run that was begun there continues.")
    voice: AnyPath = option("default", 'Folder, "default", or name on the Hub; the voice that speaks.')
    speaker_id: NameOrNumber | None = option(None, "Speaker of all texts, by number or name.")
    speaker_column: str | None = option(None, "Column of the speakers, by number or name.")
    speaking_rate: Positive | None = option(None, "Speed: 2 is twice as fast; the voice's own if not set.")
    noise_scale: NotNegative | None = option(None, "Variation of the voice; the voice's own if not set.")
    noise_scale_duration: NotNegative | None = option(None, "Variation of the rhythm; the voice's own if not set.")
    pause: Annotated[float, Range(least=0, most=MAX_PAUSE)] = option(0.0, "Seconds of silence between sentences.")
    strict: bool = option(False, "Skip texts the voice cannot fully read; otherwise their letters are reported.")
    seed: Whole = option(0, "Seed of the noise; a row's number adds to it.")
    per_device_eval_batch_size: Count = option(16, "Texts per process and batch; memory grows with it.")
    dtype: Annotated[str, OneOf(DTYPES)] = option(
        "float32", "Of the decoder: float32, bfloat16, or auto, which is bfloat16 where it is faster."
    )
    cpu_threads: Count | None = option(None, "Threads of a process without a GPU; its share of the cores if not set.")
    push_to_hub: bool = option(False, "Upload the finished folder to the Hub.", "Name it with `hub_dataset_id`.")
    hub_dataset_id: str | None = option(None, "Data set to upload to, such as org/speech.")
    hub_private_repo: bool | None = option(None, "Make a new data set private; by default your account decides.")

    renamed: ClassVar[dict[str, str]] = {"batch_size": "per_device_eval_batch_size"}
    """Former names of settings, which a file or command line gets an error for, with the names they have now."""

    def __post_init__(self):
        check_fields(self)
        if self.hub_dataset_id is not None:
            validate_repo_id(self.hub_dataset_id)
        elif self.push_to_hub:
            raise ValueError("`push_to_hub` is true; name the data set with `hub_dataset_id`, such as org/speech.")
        if self.speaker_id is not None and self.speaker_column is not None:
            raise ValueError(
                f"`speaker_id` ({self.speaker_id!r}) and `speaker_column` ({self.speaker_column!r}) are both given; "
                "give the one speaker of all texts, or the column that names one for each."
            )

    @property
    def changed(self) -> dict[str, Any]:
        """Return the settings that are not the default."""
        defaults = asdict(type(self)())
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}
