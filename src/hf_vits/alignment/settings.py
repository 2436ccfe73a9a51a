"""The settings of `hf-vits align` and `hf-vits prepare`, with their defaults, descriptions and limits."""

from dataclasses import dataclass
from typing import Annotated

from hf_vits.data.dataset import WithColumns
from hf_vits.timestamps.formats import FORMATS
from hf_vits.utils.setting_fields import (
    AnyPath,
    Count,
    NameOrNumber,
    OutputPath,
    Positive,
    Range,
    check_fields,
    option,
)

Probability = Annotated[float, Range(least=0, most=1)]
Decibels = Annotated[float, Range(least=-60, most=0)]


@dataclass
class _Common(WithColumns):
    """Settings of both verbs."""

    output: OutputPath = option("", "Folder to write to.")
    voice: AnyPath | None = option(None, "Voice with a posterior encoder; a folder, or a name on the Hub.")
    overwrite: bool = option(False, "Replace what is there.")
    min_confidence: Probability = option(0.5, "Confidence below which a text does not fit its sound.")
    adapt: bool = option(True, "Adapt to the recordings first; to their speaker and room.")
    speaker_id: NameOrNumber | None = option(None, "Speaker of a voice of several, by number or name.")
    text_column: str = option("text", "Column of the texts.")
    audio_column: str = option("audio", "Column of the audio.")
    batch_size: Count = option(8, "Recordings that are encoded at once.")
    cpu_threads: Count | None = option(None, "Threads; by default all cores.")

    def __post_init__(self):
        check_fields(self)


@dataclass
class AlignmentSettings(_Common):
    """
    Settings of [`align_folder`].

    Raises:
        ValueError: for a value out of range, an unknown format, or without an output folder or a voice.
    """

    formats: list[str] = option(["TextGrid", "json", "ctm"], "Endings of the files of each recording.")

    def __post_init__(self):
        super().__post_init__()
        for name in self.formats:
            FORMATS[name.lower()]  # raises for an unknown one
        if self.voice is None:
            raise ValueError("`voice` is missing: name one of the language that has a posterior encoder.")


@dataclass
class PreparationSettings(_Common):
    """
    Settings of [`prepare_folder`].

    Raises:
        ValueError: for a value out of range, or without an output folder.
    """

    sampling_rate: Count | None = option(None, "Hertz of the result; by default the voice's, or 22050.")
    level: Decibels = option(-20.0, "Level of speech in dB of full scale, without its pauses.")
    min_seconds: Positive = option(0.5, "Shorter clips are dropped.")
    max_seconds: Positive = option(15.0, "Longer recordings are cut into sentences; needs a voice.")
