"""The body of `POST /v1/audio/speech`: the fields of OpenAI's client, and those that only this server has."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hf_vits.serving.encoders.base import AUDIO_FORMATS, RATES, available_formats
from hf_vits.serving.errors import ApiError
from hf_vits.serving.settings import ServerSettings
from hf_vits.serving.voice_pool import SAME_NAMES, SEEDS, SpeechRequest, UnknownVoiceError, VoicePool
from hf_vits.utils.formatting import listed, quoted

MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""OpenAI's names of models, which leave the choice to `voice`."""

VOICES = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)
"""OpenAI's names of voices, which stand for the first voice unless they are aliases of others."""

Unit = Literal["word", "character", "phoneme", "sentence"]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class VoiceId(BaseModel):
    """A voice as `{"id": name}`."""

    model_config = ConfigDict(strict=True)
    id: Name


class SpeechBody(BaseModel):
    """A request. Fields that are unknown are ignored, and named in a header of the answer."""

    model_config = ConfigDict(strict=True, extra="allow", use_attribute_docstrings=True)

    model: Name
    """A voice, or a name of OpenAI's, which leaves the choice to `voice`."""
    input: Annotated[str, Field(min_length=1)]
    """The text; SSML if it begins with `<speak`."""
    voice: Name | VoiceId
    """A voice, with `:` and a speaker if it has several."""
    instructions: str | None = None
    """Not used."""
    response_format: str | None = None
    """Name of the audio format, `mp3` by default."""
    speed: Annotated[float, Field(ge=0.25, le=4)] | None = None
    """Multiple of the voice's own rate of speech."""
    stream_format: Literal["audio", "sse"] | None = None
    """The bytes of the audio, or events with base64 of them."""

    stream: bool | None = None
    """False for a whole file, with its length."""
    sample_rate: Annotated[int, Field(ge=RATES[0], le=RATES[1])] | None = None
    """Samples per second; by default those of the voice."""
    seed: Annotated[int, Field(ge=SEEDS[0], le=SEEDS[1])] | None = None
    """The same seed gives the same samples."""
    speaker: int | Name | None = None
    """Number or name of a speaker."""
    language: int | Name | None = None
    """Number or name of a language."""
    noise_scale: Annotated[float, Field(ge=0, le=10)] | None = None
    """Variation of the sound."""
    noise_scale_duration: Annotated[float, Field(ge=0, le=10)] | None = None
    """Variation of the rhythm."""
    pause: Annotated[float, Field(ge=0, le=60)] | None = None
    """Seconds of silence between sentences."""
    timestamps: bool | Unit | Annotated[list[Unit], Field(min_length=1, max_length=4)] | None = None
    """Units whose times are returned, true for all."""
    strict: bool | None = None
    """Refuse letters that the voice cannot read."""
    volume: Annotated[float, Field(ge=-100, le=24)] | None = None
    """Decibels, of the whole text."""
    pitch: Annotated[float, Field(ge=-24, le=24)] | None = None
    """Semitones, of the whole text; a sentence whose pitch changes is sent when it is complete."""
    pitch_range: Annotated[float, Field(ge=0, le=4)] | None = None
    """Factor of the range of pitch; 0 is monotone."""
    expand: bool | None = None
    """Say numbers and dates in full."""
    short_text_context: bool | None = None
    """Speak a word or two in a context that is cut away."""

    @property
    def format(self) -> str:
        """Name of the audio format; OpenAI's default is MP3."""
        return "mp3" if self.response_format is None else self.response_format

    @property
    def unused(self) -> list[str]:
        """Names of fields that were given and have no effect."""
        extra = [name for name in self.model_extra or {} if name.isidentifier() and name.isascii()]
        return [*(["instructions"] if self.instructions else []), *sorted(extra)[:20]]

    def check(self, settings: ServerSettings) -> None:
        """Raise [`ApiError`] for a text that is too long, or a format that is unknown or not installed."""
        if len(self.input) > settings.max_characters:
            raise ApiError(
                400,
                f"`input` has {len(self.input):,} characters, and the most is {settings.max_characters:,}. Divide it.",
                "string_above_max_length",
                "input",
            )
        if self.format not in AUDIO_FORMATS or not AUDIO_FORMATS[self.format].is_available():
            known = ", ".join(available_formats())
            raise ApiError(
                400,
                f"`response_format` is {self.format[:40]!r}; give one of {known}.",
                "invalid_value",
                "response_format",
            )

    def request(self, pool: VoicePool, seed: int) -> SpeechRequest:
        """Return what the pool is to speak; raise [`ApiError`] for an unknown model or voice."""
        return SpeechRequest(
            text=self.input,
            voice=self._voice(pool),
            speaker=self.speaker,
            language=self.language,
            speed=1.0 if self.speed is None else self.speed,
            noise_scale=self.noise_scale,
            noise_scale_duration=self.noise_scale_duration,
            pause=self.pause or 0.0,
            seed=seed,
            timestamps=self.timestamps,
            strict=bool(self.strict),
            **{name: getattr(self, name) for name in SAME_NAMES},
        )

    def _voice(self, pool: VoicePool) -> str:
        """Return the voice that is meant: `voice`, or `model` if `voice` is only a name of OpenAI's."""
        voice = self.voice.id if isinstance(self.voice, VoiceId) else self.voice
        models = [*pool.names, *pool.aliases]
        if self.model not in (*MODELS, *models):
            message = f"There is no model {quoted(self.model)}. Give one of {listed([*models, *MODELS], 20)}."
            raise ApiError(404, message, "model_not_found", "model")
        try:
            pool.find(voice)
        except UnknownVoiceError:
            if voice not in VOICES:
                raise
            return pool.names[0] if self.model in MODELS else self.model
        return voice


def unused_header(names: list[str]) -> dict[str, Any]:
    """Return the header that names fields without effect, if there are any."""
    return {"X-Unused-Fields": ", ".join(names)} if names else {}
