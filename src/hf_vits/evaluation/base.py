"""The base class of metrics, which score each utterance, and their registry."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from hf_vits.evaluation.recognizers.base import RECOGNIZERS, Recognizer
from hf_vits.evaluation.requirements import choose
from hf_vits.evaluation.speaker_encoders.base import SPEAKER_ENCODERS, SpeakerEncoder
from hf_vits.evaluation.speech_frames import AlignedFrames, SpeechFrames
from hf_vits.utils.registry import Registry


class Synthesis:
    """The synthesis of an utterance: its time, and further readings of the text."""

    seconds: float
    """Time that the whole utterance took."""

    def seconds_to_first_sound(self) -> float:
        """Speak the text again, as a stream, and return the time until its first chunk."""
        raise NotImplementedError

    def readings(self) -> np.ndarray:
        """Return the seconds of each token, (readings, T_text), in readings of the text with different noise."""
        raise NotImplementedError


@dataclass(eq=False)
class Utterance:
    """
    Speech to measure.

    Args:
        text (`str`):
            What is said.
        waveform (`np.ndarray` of shape `(T_wav,)`):
            float32 samples; without any, every metric gives its worst score.
        sampling_rate (`int`):
            Samples per second.
        speaker (`int`, *optional*):
            Id of the speaker, for models of several.
        transcript (`str`, *optional*):
            What the recognizer understood; set by the first metric that asks for it.
        recording ([`Utterance`], *optional*):
            A recording of the same sentence, for metrics that compare with it.
        synthesis ([`Synthesis`], *optional*):
            How a voice spoke it; recordings have none.
    """

    text: str
    waveform: np.ndarray
    sampling_rate: int
    speaker: int | None = None
    transcript: str | None = None
    recording: "Utterance | None" = None
    synthesis: Synthesis | None = None

    @cached_property
    def frames(self) -> SpeechFrames:
        """Mel-cepstra and F0, computed when a metric first asks for them."""
        return SpeechFrames(self.waveform, self.sampling_rate)

    @cached_property
    def aligned(self) -> AlignedFrames:
        """Its frames and those of the recording, aligned by dynamic time warping."""
        return AlignedFrames(self.frames, self.recording.frames)


@dataclass(frozen=True)
class SentenceScore:
    """Score of an utterance: a set of them has the value `sum(value) / sum(weight)`."""

    value: float
    weight: float = 1.0


@dataclass
class EvaluationOptions:
    """
    Choose what metrics measure with.

    Args:
        recognizer (`str`, *optional*):
            Name of a recognizer, a colon, and its model: `"faster-whisper:base.en"`, or a folder in place of the name.
            By default the first one that is installed, with a small model.
        speaker_encoder (`str`, *optional*):
            Likewise of a speaker encoder: `"resemblyzer"`, `"transformers:microsoft/wavlm-base-plus-sv"`.
        language (`str`, *optional*, defaults to `"en"`):
            Code of the language of the texts, as the recognizer calls it.
        device (`str`, *optional*, defaults to `"cpu"`):
            Device of models of PyTorch.
    """

    recognizer: str | None = None
    speaker_encoder: str | None = None
    language: str | None = "en"
    device: str = "cpu"

    @property
    def recognizer_class(self) -> type[Recognizer]:
        """The class that `recognizer` names."""
        return choose(RECOGNIZERS, self.recognizer, "recognizer")[0]

    @property
    def speaker_encoder_class(self) -> type[SpeakerEncoder]:
        """The class that `speaker_encoder` names."""
        return choose(SPEAKER_ENCODERS, self.speaker_encoder, "speaker_encoder")[0]


class Instruments:
    """The recognizer and the speaker encoder, loaded when a metric first asks for them, and then shared."""

    def __init__(self, options: EvaluationOptions):
        self.options = options

    @cached_property
    def recognizer(self) -> Recognizer:
        """The recognizer."""
        kind, model = choose(RECOGNIZERS, self.options.recognizer, "recognizer")
        return kind(model, self.options.language, self.options.device)

    @cached_property
    def speaker_encoder(self) -> SpeakerEncoder:
        """The speaker encoder."""
        kind, model = choose(SPEAKER_ENCODERS, self.options.speaker_encoder, "speaker_encoder")
        return kind(model, self.options.device)


class Metric:
    """
    Score utterances.

    Args:
        instruments ([`Instruments`]):
            Recognizer and speaker encoder; ask for what is needed here, so that loading it fails before any work.
    """

    title: ClassVar[str] = ""
    """What is measured, in words, with the unit."""

    card_type: ClassVar[str] = ""
    """Type of the metric in model cards, if it is not its name here."""

    greater_is_better: ClassVar[bool | None] = True
    """`None` if a greater value is neither better nor worse."""

    target: ClassVar[float | None] = None
    """The best value, if neither the greatest nor the least is."""

    percent: ClassVar[bool] = False
    """Whether values are fractions that are shown as percentages."""

    is_time: ClassVar[bool] = False
    """Whether values are times, which differ from run to run and between machines."""

    needs_target: ClassVar[bool] = False
    """Whether it compares with recordings of the speaker, which `prepare` takes."""

    needs_recording: ClassVar[bool] = False
    """Whether it compares with `Utterance.recording`."""

    needs_synthesis: ClassVar[bool] = False
    """Whether it takes `Utterance.synthesis`, which recordings lack."""

    instrument: str = ""
    """Name of the model that measures, for model cards."""

    def __init__(self, instruments: Instruments):
        pass

    @classmethod
    def packages(cls, options: EvaluationOptions) -> Mapping[str, str]:
        """Return the optional packages that it imports: arguments of pip, by the name of the module."""
        return {}

    def prepare(self, recordings: Iterable[Utterance]) -> None:
        """Take what is needed from recordings of the speakers that utterances should sound like."""

    def score(self, utterance: Utterance) -> SentenceScore:
        """Score one utterance."""
        raise NotImplementedError

    def applies_to(self, utterance: Utterance) -> bool:
        """Return whether an utterance has what the metric takes."""
        lacks_recording = self.needs_recording and utterance.recording is None
        return not lacks_recording and not (self.needs_synthesis and utterance.synthesis is None)

    @classmethod
    def badness(cls, value: float) -> float:
        """Return a number that is greater for a worse value; 0 if no value is better than another."""
        if cls.target is not None:
            return abs(value - cls.target)
        return 0.0 if cls.greater_is_better is None else -value if cls.greater_is_better else value

    @classmethod
    def heading(cls) -> str:
        """Return the title with an arrow that points to better values."""
        if cls.target is not None:
            return f"{cls.title} → {cls.target:g}"
        return cls.title if cls.greater_is_better is None else f"{cls.title} {'↑' if cls.greater_is_better else '↓'}"

    @classmethod
    def shown(cls, value: float) -> str:
        """Return a value as people read it."""
        if cls.percent:
            return f"{100 * value:.1f} %"
        return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


METRICS: Registry[type[Metric]] = Registry(
    "metric",
    {
        "wer": "hf_vits.evaluation.error_rates",
        "cer": "hf_vits.evaluation.error_rates",
        "similarity": "hf_vits.evaluation.similarity",
        "naturalness": "hf_vits.evaluation.naturalness",
        "mcd": "hf_vits.evaluation.recording_comparison",
        "f0_rmse": "hf_vits.evaluation.recording_comparison",
        "voicing_error": "hf_vits.evaluation.recording_comparison",
        "duration_ratio": "hf_vits.evaluation.recording_comparison",
        "rhythm": "hf_vits.evaluation.rhythm",
        "rtf": "hf_vits.evaluation.speed",
        "first_sound": "hf_vits.evaluation.speed",
    },
)
"""Classes of metrics by name."""
