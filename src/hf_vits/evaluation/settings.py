"""The settings of `hf-vits evaluate`, with their defaults, descriptions and limits."""

from dataclasses import dataclass
from typing import Annotated

from hf_vits.data.dataset import WithColumns
from hf_vits.evaluation.base import METRICS, EvaluationOptions
from hf_vits.evaluation.recognizers.base import RECOGNIZERS
from hf_vits.evaluation.requirements import check_name
from hf_vits.evaluation.speaker_encoders.base import SPEAKER_ENCODERS
from hf_vits.utils.precision import DTYPES
from hf_vits.utils.setting_fields import AnyPath, Count, NameOrNumber, OneOf, OutputPath, Whole, check_fields, option

Dtype = Annotated[str, OneOf(DTYPES)]


@dataclass
class EvaluationSettings(WithColumns):
    """
    Settings of [`evaluate_voice`].

    Raises:
        ValueError: for a value out of range, or an unknown metric; says which and what is allowed.
    """

    dataset_name: AnyPath | None = option(None, "Folder of recordings, or data set of the Hub, to compare with.")
    dataset_config_name: str | None = option(None, "Configuration of a data set of the Hub.")
    train_split: str = option("train", "Split whose speaker is the target.")
    eval_split: str | None = option(None, "Split whose texts are spoken; by default the folder's evaluation list.")
    text_column: str = option("text", "Column of the texts.")
    audio_column: str = option("audio", "Column of the audio.")
    speaker_column: str | None = option(None, "Column of the speakers, by number or name.")
    texts: AnyPath | None = option(None, "File of sentences to speak, one per line; by default those of the data.")
    compare: AnyPath | None = option(None, "Second voice, which speaks the same sentences.")
    output_dir: OutputPath = option("report", "Folder of the report.")
    overwrite: bool = option(False, "Replace the folder of the report if it exists.")
    metrics: list[str] = option(["wer"], f"Metrics, as wer,similarity; there are {', '.join(METRICS)}.")
    recognizer: str | None = option(None, "Recognizer, as faster-whisper:base.en or transformers:FOLDER.")
    speaker_encoder: str | None = option(None, "Encoder of similarity: resemblyzer or transformers:NAME.")
    language: str | None = option(None, "Language that is recognized, as en; by default the voice's.")
    speaker_id: NameOrNumber | None = option(None, "Speaker of a voice of several, by number or name.")
    max_sentences: Count = option(100, "Sentences and recordings that are measured at most.")
    copy_synthesis: bool = option(True, "Measure recordings through posterior encoder and decoder too, if there are.")
    write_card: bool = option(False, "Put figures, pictures and speech into the model card of the voice's folder.")
    dtype: Dtype = option(DTYPES[0], f"Of the decoder: {', '.join(DTYPES)}, which is the faster one.")
    seed: Whole = option(0, "Seed of the noise.")
    cpu_threads: Count | None = option(None, "Threads; by default all cores.")

    def __post_init__(self):
        check_fields(self)
        self.metrics = list(dict.fromkeys(self.metrics))
        kinds = {name: METRICS[name] for name in self.metrics}  # raises for an unknown one
        check_name(RECOGNIZERS, self.recognizer, "recognizer")
        check_name(SPEAKER_ENCODERS, self.speaker_encoder, "speaker_encoder")
        if not self.metrics:
            raise ValueError(f"`metrics` is empty; name some of {', '.join(METRICS)}.")
        if self.dataset_name is None and self.texts is None:
            raise ValueError("There is nothing to speak: give recordings as `dataset_name`, or sentences as `texts`.")
        for name, kind in kinds.items():
            if self.dataset_name is None and (kind.needs_target or kind.needs_recording):
                raise ValueError(f"`metrics` has {name}, which compares with recordings: give them as `dataset_name`.")
            if self.texts is not None and kind.needs_recording:
                raise ValueError(
                    f"`metrics` has {name}, which compares with recordings of the same sentences: leave out `texts`, "
                    "so that those of `dataset_name` are spoken."
                )

    def options(self, language: str | None) -> EvaluationOptions:
        """Return what the metrics measure with; `language` is that of the voice."""
        return EvaluationOptions(self.recognizer, self.speaker_encoder, self.language or language)
