"""Everything that can be said about turning texts into speech, each setting with its default and its meaning."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from hf_vits.pipeline import MAX_PAUSE
from hf_vits.utils.options import (
    AnyPath,
    Count,
    NameOrNumber,
    NotNegative,
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
    Settings of [`synthesize`]. How a row sounds depends on none of `batch_size`, `cpu_threads` and `push_to_hub`.

    Raises:
        ValueError: for a value out of range; says which and what is allowed.
    """

    dataset_name: AnyPath = option(
        "", "CSV, TSV, JSON, text or Parquet file, folder of such files, or data set of the Hub."
    )
    dataset_config_name: str | None = option(None, "Configuration of a data set of the Hub.")
    split: str = option("train", "Split to speak; train[:100] is its first hundred rows.")
    text_column: str = option("text", "Column of the texts.")
    output_dir: OutputPath = option("spoken", "Folder of the speech; one that was begun is gone on with.")
    voice: AnyPath = option("default", 'Folder, "default", or name on the Hub of a voice.')
    speaker_id: NameOrNumber | None = option(None, "Who speaks, by number or name.")
    speaker_column: str | None = option(None, "Column of who speaks, by number or name.")
    speaking_rate: Positive | None = option(None, "2 speaks twice as fast; the voice's own if not set.")
    noise_scale: NotNegative | None = option(None, "Variation of the sound; the voice's own if not set.")
    noise_scale_duration: NotNegative | None = option(None, "Variation of the rhythm; the voice's own if not set.")
    pause: Annotated[float, Range(least=0, most=MAX_PAUSE)] = option(
        0.0, "Seconds of silence between the sentences of a text."
    )
    strict: bool = option(False, "Leave out texts with letters that the voice cannot read, instead of warning of them.")
    seed: Whole = option(0, "With the number of a row, all that its noise depends on.")
    batch_size: Count = option(16, "Texts that a process speaks at once; memory grows with it.")
    cpu_threads: Count | None = option(None, "Threads of a process without a GPU; its share of the cores if not set.")
    push_to_hub: str | None = option(None, "Data set of the Hub, as owner/name, that the finished folder becomes.")

    def __post_init__(self):
        check_fields(self)
        if self.speaker_id is not None and self.speaker_column is not None:
            raise ValueError(
                f"`speaker_id` ({self.speaker_id!r}) and `speaker_column` ({self.speaker_column!r}) are both given; "
                "give the one speaker of all texts, or the column that names one for each."
            )

    @property
    def changed(self) -> dict[str, Any]:
        """What is not the default."""
        defaults = asdict(type(self)())
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}
