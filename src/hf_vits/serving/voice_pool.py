"""
Hold several voices by name: loaded at first use, and the least recently used dropped when they take too much memory.

A voice is a key of a table that is fixed when the pool is made, so that no request can name a file.
"""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hf_vits.text.errors import NoTokensError
from hf_vits.text.writing_systems import without_warnings
from hf_vits.utils.formatting import listed, nearest, quoted

if TYPE_CHECKING:
    import torch

    from hf_vits.configuration_vits import VitsConfig
    from hf_vits.pipeline import TextToSpeechPipeline
    from hf_vits.serving.processes import SpeakingProcess
    from hf_vits.serving.scheduling import Job, Scheduler

SPEAKER_MARK = ":"
"""Separates a voice from one of its speakers in a name: `"vctk:p225"`."""

FORMS_OF_WEIGHTS = 3
"""Memory of a voice as a multiple of its weights: kernels keep other forms of them."""

SEEDS = (-(2**63), 2**64 - 1)
"""Smallest and largest seed that PyTorch accepts."""


SAME_NAMES = ("volume", "pitch", "pitch_range", "expand", "short_text_context")
"""Fields of a request that are arguments of the pipeline."""


class UnknownVoiceError(ValueError):
    """Raised for a name that is no voice of the pool; lists those."""


class VoiceUnavailableError(RuntimeError):
    """Raised if a voice cannot be loaded; its cause, which may name files, is for the log of the server."""


@dataclass(frozen=True)
class SpeechRequest:
    """
    A text and how to speak it. Numbers are checked when it is spoken.

    Args:
        text (`str`):
            What to say; SSML if it begins with `<speak`.
        voice (`str`):
            Name or alias of a voice; with `:` and the name or number of a speaker, such as `"vctk:p225"`.
        speaker, language (`int` or `str`, *optional*):
            Id or name; by default the first one.
        speed (`float`, *optional*, defaults to 1.0):
            Multiple of the voice's own rate of speech.
        noise_scale, noise_scale_duration (`float`, *optional*):
            Variation of the sound and of the rhythm; by default the voice's own.
        pause (`float`, *optional*, defaults to 0.0):
            Seconds of silence between sentences.
        seed (`int` or `torch.Generator`, *optional*):
            The same seed gives the same samples; by default another one each time. Requests with one generator, one
            after the other, continue each other.
        timestamps (`str`, `list[str]` or `bool`, *optional*):
            As `return_timestamps` of the pipeline.
        strict (`bool`, *optional*, defaults to `False`):
            Refuse letters that the voice cannot read.
        volume, pitch, pitch_range (`float`, *optional*):
            Decibels, semitones, and factor of the range of pitch, of the whole text; SSML has them for parts of it.
        expand, short_text_context (`bool`, *optional*):
            As in the pipeline: say numbers and dates in full; speak a word or two in a context that is cut away.
    """

    text: str
    voice: str
    speaker: int | str | None = None
    language: int | str | None = None
    speed: float = 1.0
    noise_scale: float | None = None
    noise_scale_duration: float | None = None
    pause: float = 0.0
    seed: "int | torch.Generator | None" = None
    timestamps: str | Sequence[str] | bool | None = None
    strict: bool = False
    volume: float | None = None
    pitch: float | None = None
    pitch_range: float | None = None
    expand: bool | None = None
    short_text_context: bool | None = None


@dataclass
class _Entry:
    """A voice of the table, and its pipeline while it is loaded."""

    source: Any
    loading: threading.Lock = field(default_factory=threading.Lock)
    pipe: "TextToSpeechPipeline | None" = None
    config: "VitsConfig | None" = None
    languages: list[str] | None = None
    users: int = 0
    last_use: int = 0
    size: int = 0


class VoicePool:
    """
    Voices by name. All methods may be called from any thread.

    Args:
        voices (`Mapping`):
            Folder, `"default"`, name on the Hub, or [`TextToSpeechPipeline`], by the name that requests give.
        aliases (`Mapping[str, str]`, *optional*):
            Names of voices by further names.
        max_bytes (`int`, *optional*):
            Memory for voices that are kept; without it, all are. A voice in use is never dropped.
        load (`Callable`, *optional*):
            Returns the pipeline of a source.
        processes (`Sequence[SpeakingProcess]`, *optional*):
            Processes that speak in place of this one, each with a pool of the same voices.

    Raises:
        ValueError: for a name that is taken, is empty or holds `:`, and for an alias of no voice.

    Example:

    ```python
    >>> from hf_vits.serving import SpeechRequest, VoicePool

    >>> pool = VoicePool({"joe": "default"}, aliases={"alloy": "joe"})
    >>> chunks = list(pool.speak(SpeechRequest("Hello there.", voice="alloy", seed=7)))
    ```
    """

    def __init__(
        self,
        voices: Mapping[str, Any],
        aliases: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        load: Callable[[Any], "TextToSpeechPipeline"] | None = None,
        processes: "Sequence[SpeakingProcess]" = (),
    ):
        if not voices:
            raise ValueError("There is no voice to serve; give one or more.")
        self.aliases, self.max_bytes, self._load = dict(aliases or {}), max_bytes, load or load_pipeline
        self.processes = processes
        self._voices = {name: _Entry(source) for name, source in voices.items()}
        self._lock, self._uses = threading.Lock(), itertools.count(1)
        for name in [*self._voices, *self.aliases]:
            if not isinstance(name, str) or not name.strip() or SPEAKER_MARK in name:
                raise ValueError(f"A voice has the name {name!r}; it must be a text without {SPEAKER_MARK!r}.")
        for alias, name in self.aliases.items():
            if name not in self._voices or alias in self._voices:
                raise ValueError(f"The alias {quoted(alias)} of {quoted(name)} is a voice itself, or names none.")

    @property
    def names(self) -> list[str]:
        """Names of all voices; the first one is the default."""
        return list(self._voices)

    @property
    def loaded(self) -> list[str]:
        """Names of the voices that are in memory."""
        elsewhere = {name for process in self.processes for name in process.loaded}
        return [name for name, entry in self._voices.items() if entry.pipe is not None or name in elsewhere]

    def find(self, name: str) -> tuple[str, str | None]:
        """
        Return the name of a voice, and that of a speaker if one was appended, for a name or alias.

        Raises:
            UnknownVoiceError: if there is no such voice; suggests similar names.
        """
        base, mark, speaker = name.partition(SPEAKER_MARK)
        known = self.aliases.get(base, base)
        if known not in self._voices or (mark and not speaker):
            hint = nearest(base, [*self._voices, *self.aliases]) or "."
            raise UnknownVoiceError(f"There is no voice {quoted(name)}{hint} Voices are {listed(self.names, 20)}.")
        return known, speaker or None

    def config(self, name: str) -> "VitsConfig":
        """Return the configuration of a voice (speakers, languages, sampling rate), without loading its weights."""
        entry = self._voices[self.find(name)[0]]
        if entry.config is None:
            entry.config = _read_config(entry.source)
        return entry.config

    def languages(self, name: str) -> list[str]:
        """Return the names of a model's languages, or its tokenizer's one as an espeak-ng voice; none if unknown. A
        voice is read for them once."""
        entry = self._voices[self.find(name)[0]]
        if entry.languages is None:
            entry.languages = _languages(self.config(name), entry.pipe or entry.source)
        return list(entry.languages)

    @contextmanager
    def use(self, name: str) -> Iterator["TextToSpeechPipeline"]:
        """
        Load a voice if needed, and keep it in memory during a `with` block.

        Raises:
            UnknownVoiceError: if there is no such voice.
            VoiceUnavailableError: if it cannot be loaded; the next use tries it again.
        """
        name, _ = self.find(name)
        entry = self._voices[name]
        with self._lock:
            entry.users += 1
        try:
            with entry.loading:
                pipe = entry.pipe or self._loaded(name, entry)
            self._drop_least_recently_used()
            yield pipe
        finally:
            with self._lock:
                entry.users -= 1
                entry.last_use = next(self._uses)
            self._drop_least_recently_used()

    def _loaded(self, name: str, entry: _Entry) -> "TextToSpeechPipeline":
        try:
            pipe = self._load(entry.source)
        except Exception as error:
            raise VoiceUnavailableError(f"The voice {name} cannot be loaded now.") from error
        entry.config, entry.size, entry.pipe = pipe.model.config, _size(pipe), pipe
        return pipe

    def _drop_least_recently_used(self) -> None:
        if self.max_bytes is None:
            return
        with self._lock:
            loaded = [entry for entry in self._voices.values() if entry.pipe is not None]
            idle = sorted((entry for entry in loaded if not entry.users), key=lambda entry: entry.last_use)
            size = sum(entry.size for entry in loaded)
            while idle and size > self.max_bytes:
                entry = idle.pop(0)
                size -= entry.size
                entry.pipe = None

    def warm_up(self, scheduler: "Scheduler", request: SpeechRequest | None = None) -> None:
        """
        Load the first voice and speak a letter, in a thread of a scheduler, so that no client waits for it.

        Not in the calling thread: threads of OpenMP belong to the thread that first needed them, and slow each other
        down where there are more of them than cores.

        Args:
            scheduler ([`Scheduler`]):
                That of the server.
            request ([`SpeechRequest`], *optional*):
                What is the same in all requests; its text is not spoken.

        Raises:
            VoiceUnavailableError, ValueError: as `speak`.
        """
        request = replace(request or SpeechRequest("", self.names[0]), text="a")
        jobs = [self.submit(scheduler, partial(_spoken, request=request)) for _ in self.processes or [self]]
        for job in jobs:
            list(job)

    def submit(self, scheduler: "Scheduler", make: Callable[["VoicePool"], Any]) -> "Job":
        """Have a scheduler work on what `make` returns for this pool, or for that of the process that speaks."""
        return scheduler.submit(make if self.processes else partial(make, self))

    def speak(self, request: SpeechRequest, is_whole: bool = False) -> Iterator[dict[str, Any]]:
        """
        Speak a text chunk by chunk; the chunks are those of [`TextToSpeechPipeline.stream`].

        Nothing is done before the first chunk is asked for. Close the iterator (`close()`) to stop the work. Noise is
        drawn from a generator of the request, never from PyTorch's global one.

        Args:
            request ([`SpeechRequest`]):
                The text, and how to speak it.
            is_whole (`bool`, *optional*, defaults to `False`):
                Make large chunks from the beginning, for a client that waits for all of them.

        Returns:
            `Iterator[dict]`: `{"audio": float32 array (samples,), "sampling_rate": int, "sentence": int}` per chunk,
            and `"timestamps"` if they were asked for.

        Raises:
            UnknownVoiceError: if there is no such voice.
            VoiceUnavailableError: if it cannot be loaded.
            ValueError: for a text with nothing to speak, an unknown speaker, or a number out of range.
        """
        with self.use(request.voice) as pipe:
            from hf_vits.inference.streaming import LARGEST_CHUNK  # imports PyTorch, as the voice has

            text, options = self._options(request, pipe.model.config)
            chunk_frames = LARGEST_CHUNK if is_whole else None
            yield from pipe.stream(text, chunk_frames=chunk_frames, **options)

    def _options(self, request: SpeechRequest, config: "VitsConfig") -> tuple[str, dict[str, Any]]:
        """Return the text and the arguments of `pipe.stream`."""
        _, speaker = self.find(request.voice)
        if request.speaker is not None:
            speaker = request.speaker
        rate = None if request.speed == 1 else config.speaking_rate * _number("speed", request.speed)
        return request.text, {
            "speaker_id": _choice(speaker, config.speaker_names),
            "language_id": _choice(request.language, config.language_names),
            "speaking_rate": rate,
            "noise_scale": request.noise_scale,
            "noise_scale_duration": request.noise_scale_duration,
            "pause": request.pause,
            "strict": request.strict,
            **{name: getattr(request, name) for name in SAME_NAMES},
            "return_timestamps": request.timestamps,
            "generator": make_generator(request.seed),
        }


def _spoken(pool: VoicePool, request: SpeechRequest) -> tuple:
    """Speak a text that may hold letters the voice cannot read; return no chunks."""
    with without_warnings(), suppress(NoTokensError):
        list(pool.speak(request))
    return ()


def _choice(chosen: int | str | None, names: Sequence[str] | None) -> int | str:
    """Return the id or name of a speaker or language: the first by default, and an id for decimal digits."""
    if isinstance(chosen, str) and chosen not in (names or ()) and chosen.isdecimal():
        return int(chosen)
    return 0 if chosen is None else chosen


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"`{name}` is {quoted(value)}; it must be a number.")
    return value


def make_generator(seed: "int | torch.Generator | None") -> "torch.Generator":
    """Return a generator with a seed, by default a random one; a generator as it is.

    Raises:
        ValueError: for anything but a 64-bit integer.
    """
    import torch

    if isinstance(seed, torch.Generator):
        return seed
    generator = torch.Generator()
    if seed is None:
        generator.seed()
        return generator
    if isinstance(seed, bool) or not isinstance(seed, int) or not SEEDS[0] <= seed <= SEEDS[1]:
        raise ValueError(f"`seed` is {quoted(seed)}; it must be a 64-bit integer, {SEEDS[0]} to {SEEDS[1]}.")
    return generator.manual_seed(seed)


def _size(pipe: "TextToSpeechPipeline") -> int:
    """Return the bytes that a voice takes, about."""
    tensors = [*pipe.model.parameters(), *pipe.model.buffers()]
    return FORMS_OF_WEIGHTS * sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def load_pipeline(source: Any, dtype: "torch.dtype | None" = None) -> "TextToSpeechPipeline":
    """Load the pipeline of a source and prepare its weights; `dtype` is that of the decoder."""
    import torch

    from hf_vits.pipeline import TextToSpeechPipeline
    from hf_vits.text.expansion.numbers import is_available

    if isinstance(source, TextToSpeechPipeline):
        return source
    pipe = TextToSpeechPipeline(source, dtype=dtype, expand=is_available())
    model = pipe.model.eval()
    with torch.no_grad():  # so that kernels prepare the weights now
        model(torch.zeros(1, 9, dtype=torch.long), speaker_id=0, language_id=0, generator=torch.Generator())
    return pipe


def _languages(config: "VitsConfig", source: Any) -> list[str]:
    if config.num_languages > 1 and config.language_names:
        return list(config.language_names)
    language = getattr(getattr(source, "tokenizer", None) or _read_tokenizer(source), "text_language", None)
    return [] if language is None else [language]


def _read_tokenizer(source: Any):
    from hf_vits.conversion.resolve import resolve_voice
    from hf_vits.tokenization_vits import VitsTokenizer

    return VitsTokenizer.from_pretrained(resolve_voice(source, "tokenizer_config.json"))


def _read_config(source: Any) -> "VitsConfig":
    from hf_vits.configuration_vits import VitsConfig
    from hf_vits.conversion.resolve import resolve_voice

    model = getattr(source, "model", None)
    return VitsConfig.from_pretrained(resolve_voice(source)) if model is None else model.config
