"""Text in, samples out: the stock pipeline's calling convention, with every control of the model as an argument."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedModel, TextToAudioPipeline
from transformers.pipelines.base import ChunkPipeline

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.resolve import resolve_voice
from hf_vits.hub.state_dict import match_state_dict
from hf_vits.inference.streaming import check_chunk_frames
from hf_vits.modeling_vits import VitsModel
from hf_vits.text import scripts, sentence_splitter
from hf_vits.text.errors import NoTokensError, UnsupportedTextError, describe_dropped
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.formatting import meant, refuse_unknown, with_known_arguments
from hf_vits.utils.logging import no_progress_bar


def model_of(model: Any) -> VitsModel:
    """
    Return the [`VitsModel`] of a voice.

    Args:
        model ([`VitsModel`], `transformers.VitsModel`, `str` or `PathLike`):
            A model is taken as it is; that of transformers lends its weights. A name is one of [`resolve_voice`].

    Raises:
        TypeError: for anything else.
        OSError, ValueError: as `resolve_voice` and `VitsModel.from_pretrained`.
    """
    if isinstance(model, VitsModel):
        return model
    if isinstance(model, str | os.PathLike):
        with no_progress_bar():
            return VitsModel.from_pretrained(resolve_voice(model))
    if isinstance(model, PreTrainedModel) and model.config.model_type == VitsConfig.model_type:
        return _of_stock(model)
    raise TypeError(
        f"`model` is {type(model).__name__}; give a `VitsModel`, or the folder or name of a voice, such as 'default'."
    )


def tokenizer_of(tokenizer: Any, model: VitsModel) -> Any:
    """
    Return the tokenizer of a voice: the one that is given, that of a name, or that of where the model came from.

    Raises:
        ValueError: if none is given and the model came from nowhere, or from where there is none.
    """
    if isinstance(tokenizer, str | os.PathLike):
        return VitsTokenizer.from_pretrained(resolve_voice(tokenizer, "tokenizer_config.json"))
    if tokenizer is not None:
        return tokenizer
    source = str(model.name_or_path or "")
    if not source:
        raise ValueError(
            "A pipeline needs the tokenizer of its voice, and this model was not loaded from a folder that could have "
            "it; pass `tokenizer=VitsTokenizer.from_pretrained(voice)`."
        )
    try:
        return VitsTokenizer.from_pretrained(source)
    except OSError as error:
        raise ValueError(
            f"There is no tokenizer in {source}, where the model came from; pass "
            "`tokenizer=VitsTokenizer.from_pretrained(voice)`."
        ) from error


def _of_stock(model: PreTrainedModel) -> VitsModel:
    """Return our model with the weights of transformers' own, on its device and in its type."""
    config = VitsConfig.from_dict(model.config.to_dict())
    made = VitsModel(config).to(device=model.device, dtype=model.dtype)
    shapes = {key: tensor.shape for key, tensor in made.state_dict().items()}
    made.load_state_dict(match_state_dict(model.state_dict(), shapes, "the model of transformers"))
    made.config.name_or_path = made.name_or_path = model.name_or_path
    return made.train(model.training)


logger = logging.getLogger(__name__)

CONTROLS = ("speaker_id", "language_id", "noise_scale", "noise_scale_duration", "speaking_rate", "generator")
"""Arguments that may be one value for all texts, or a list with one for each."""

SPOKEN_WITH = (*CONTROLS, "pause", "strict", "preprocess_params", "forward_params")
"""All arguments of a call that are about speaking; those of transformers go to the tokenizer and the model."""

MAX_CHARACTERS = 1_000_000
"""Longest text of one call: a long book, and more than a day of speech."""

MAX_PAUSE = 60.0
"""Longest silence between sentences, in seconds."""


class TextToSpeechPipeline(ChunkPipeline, TextToAudioPipeline):
    """
    Speaks texts of any length: sentence by sentence, each item trimmed to its own end.

    Use it as `TextToSpeechPipeline(voice)`, or, with `pipeline_class=TextToSpeechPipeline`, by `transformers.pipeline`.
    It takes a text, a list of texts, or anything that gives texts one after another (a generator, a column of a
    dataset), which it then speaks as they are asked for; and `batch_size`. In place of a text it takes
    `{"text": …, "speaker_id": …}` with any of the controls.

    Args:
        model ([`VitsModel`], `str` or `PathLike`):
            The voice: a model, a folder, `"default"`, or a name on the Hub.
        tokenizer ([`VitsTokenizer`], `str` or `PathLike`, *optional*):
            Its tokenizer, or where that is; without it, the one that lies where the model came from.
        speaker_id (`int` or `str`, or a list with one per text, *optional*):
            Who speaks, by id or name; required by a model of several speakers.
        language_id (`int` or `str`, or a list with one per text, *optional*):
            In which language, by id or name; required by a model of several languages.
        noise_scale, noise_scale_duration, speaking_rate (`float`, or a list with one per text, *optional*):
            As in [`VitsModel.forward`]; the configuration's values by default.
        generator (`torch.Generator`, or a list with one per text, *optional*):
            Source of the noise, for speech that can be repeated.
        pause (`float`, *optional*, defaults to 0.0):
            Seconds of silence put between sentences, 60 at most.
        strict (`bool`, *optional*, defaults to `False`):
            Refuse a text that the voice cannot read as it is written: letters of a script that its language is not
            written in, or letters, digits or phonemes that it has no symbol for. Otherwise a warning names them.

    Returns:
        `{"audio": float32 array (T_wav,), "sampling_rate": int}` in hertz for a text, a list of them for a list.

    Raises:
        ValueError: if nothing in a text can be said, or a control is out of range.
        UnsupportedTextError: if a text cannot be read as it is written, with `strict`; a `ValueError` too.
        TypeError: for an argument that is none of the above; names the nearest ones.

    Example:

    ```python
    >>> from hf_vits import TextToSpeechPipeline

    >>> pipe = TextToSpeechPipeline("default")
    >>> speech = pipe("Hello there.", speaking_rate=1.1)
    >>> speech["sampling_rate"]
    22050
    ```
    """

    _load_tokenizer = False  # by `pipeline`, which takes that of transformers: it is found here

    def __init__(self, model, tokenizer=None, **kwargs):
        model = model_of(model)
        super().__init__(model=model, tokenizer=tokenizer_of(tokenizer, model), **kwargs)

    def __call__(self, text_inputs, **kwargs):
        """Speaks; arguments are those of the class."""
        per_text = {name: kwargs.pop(name) for name in CONTROLS if _is_list(kwargs.get(name))}
        if isinstance(text_inputs, tuple):
            text_inputs = list(text_inputs)
        elif isinstance(text_inputs, Iterable) and not isinstance(text_inputs, str | bytes | dict | list | Dataset):
            text_inputs = (text for text in text_inputs)
        if isinstance(text_inputs, list) and not text_inputs:
            return []
        return super().__call__(_with_controls(text_inputs, per_text) if per_text else text_inputs, **kwargs)

    def stream(
        self, text: str | dict, *, chunk_frames: int | None = None, first_sentence: int = 0, **kwargs
    ) -> Iterator[dict[str, np.ndarray | int]]:
        """
        Speaks a text piece by piece: the first sound needs the first sentence's text encoder and a few frames.

        Together the pieces are the samples that a call gives, to rounding. Sentence after sentence is forgotten, so
        memory does not grow with the text.

        Args:
            text (`str` or `dict`):
                As in a call, but one.
            chunk_frames (`int`, *optional*):
                Frames of `hop_length` samples in a piece; without it, some ten at the beginning of each sentence, then
                some thirty, then about a hundred each.
            first_sentence (`int`, *optional*, defaults to 0):
                Number of the sentence to go on from, as pieces tell it, after the pause that comes before. With a
                generator in the state that it had then, the pieces equal those of one stream of the whole text.
            **kwargs:
                The controls and `pause` of the class.

        Returns:
            `Iterator[dict]`: `{"audio": float32 array (samples,), "sampling_rate": int, "sentence": int}` of each
            piece; the number is that of its sentence in `sentences(text)`, or of the one that a pause comes before.

        Raises:
            ValueError: as a call. What only the model finds (a control out of range, a text of which nothing can be
                said) is told with the first piece.
            TypeError: for more than one text.

        Example:

        ```python
        >>> from hf_vits import TextToSpeechPipeline

        >>> pipe = TextToSpeechPipeline("default")
        >>> pieces = list(pipe.stream("Hello there. How are you?", pause=0.2))
        >>> len(pieces) > 2
        True
        ```
        """
        if isinstance(text, list | tuple):
            raise TypeError(f"There are {len(text)} texts; a stream is of one. Join them, or stream one after another.")
        refuse_unknown("TextToSpeechPipeline.stream", kwargs, (*SPOKEN_WITH, "chunk_frames"))
        self._checked(text)
        check_chunk_frames(chunk_frames)
        preprocessing, forward, postprocessing = self._sanitize_parameters(**kwargs)
        controls = {**self._forward_params, **forward}
        pause = {**self._postprocess_params, **postprocessing}.get("pause", 0.0)
        preprocessing = {**self._preprocess_params, **preprocessing, "first_sentence": first_sentence}
        return self._pieces(self.preprocess(text, **preprocessing), controls, pause, chunk_frames, first_sentence == 0)

    @torch.no_grad()
    def _pieces(
        self, sentences: Iterator[dict], controls: dict, pause: float, chunk_frames: int | None, is_begin: bool
    ):
        silence = np.zeros(round(pause * self.sampling_rate), dtype=np.float32)
        for sentence in sentences:
            about = {"sampling_rate": self.sampling_rate, "sentence": sentence["sentence"]}
            if not is_begin and len(silence):
                yield {"audio": silence.copy(), **about}
            is_begin = False
            own = {**controls, **sentence["controls"]}
            speaker = self.model.speaker_vector(own.pop("speaker_id", None), 1)
            language = self.model.language_vector(own.pop("language_id", None), 1)
            inputs = self._ensure_tensor_on_device(
                {name: sentence[name] for name in ("input_ids", "attention_mask")}, self.device
            )
            prior = self.model.prior(**inputs, speaker=speaker, language=language, **own)
            for piece in self.model.stream(prior, speaker, chunk_frames):
                yield {"audio": _samples(piece[0]).copy(), **about}

    @with_known_arguments("TextToSpeechPipeline", also=("batch_size", "num_workers"))
    def _sanitize_parameters(
        self,
        speaker_id=None,
        noise_scale=None,
        noise_scale_duration=None,
        speaking_rate=None,
        generator=None,
        pause=None,
        language_id=None,
        strict=None,
        preprocess_params=None,
        forward_params=None,
    ) -> tuple[dict, dict, dict]:
        controls = {
            "speaker_id": speaker_id,
            "language_id": language_id,
            "noise_scale": noise_scale,
            "noise_scale_duration": noise_scale_duration,
            "speaking_rate": speaking_rate,
            "generator": generator,
        }
        given = {name: value for name, value in controls.items() if value is not None}
        lists = [name for name, value in given.items() if _is_list(value)]
        if lists:
            raise ValueError(f"A list of values for {', '.join(lists)} belongs in a call, beside its list of texts.")
        if pause is not None and not (isinstance(pause, int | float) and 0 <= pause <= MAX_PAUSE):
            raise ValueError(f"`pause` is {pause!r}; it must be a number of seconds, 0 to {MAX_PAUSE:g}.")
        preprocessing = {**(preprocess_params or {}), **({} if strict is None else {"strict": strict})}
        return preprocessing, {**(forward_params or {}), **given}, {} if pause is None else {"pause": pause}

    def preprocess(
        self, text: str | dict, strict: bool = False, first_sentence: int = 0, **tokenizer_arguments
    ) -> Iterator[dict]:
        """text -> per sentence input_ids and attention_mask (1, T_text), its controls, its number, and whether it is
        the last; from sentence `first_sentence` on."""
        text, controls = self._checked(text)
        self._check_readable(text, strict)
        held = None  # one behind, to know which is the last
        for number, encoding in self._encodings(text, tokenizer_arguments, first_sentence):
            if held is not None:
                yield {**held, "is_last": False}
            held = {**encoding, "controls": controls, "sentence": number}
        if held is not None:
            yield {**held, "is_last": True}

    def _checked(self, text: str | dict) -> tuple[str, dict]:
        """-> the text, and the controls of an item that has its own."""
        controls = {}
        if isinstance(text, dict):
            controls = {name: value for name, value in text.items() if name != "text"}
            unknown = sorted(controls.keys() - set(CONTROLS))
            if "text" not in text or unknown:
                hint = meant(unknown[0], CONTROLS) if unknown else ""
                raise ValueError(
                    f"An item has the keys {list(text)}{hint or '.'} It takes 'text' and any of {', '.join(CONTROLS)}."
                )
            text = text["text"]
        if not isinstance(text, str):
            raise TypeError(f"A text is given as {type(text).__name__}; pass a string, or a list of strings.")
        if len(text) > MAX_CHARACTERS:
            raise ValueError(
                f"The text has {len(text):,} characters; one call speaks at most {MAX_CHARACTERS:,}. Give it in parts, "
                "for example chapter by chapter, as a list or a generator."
            )
        return text, controls

    def sentences(self, text: str) -> list[str]:
        """The pieces that a text is spoken in, by the conventions of the voice's language."""
        return sentence_splitter.split(text, language=getattr(self.tokenizer, "text_language", None))

    def _check_readable(self, text: str, strict: bool) -> None:
        """Warns of letters that are not of the voice's script, once for a text; if strict, raises for all it lacks."""
        if not hasattr(self.tokenizer, "letters_of_other_scripts"):  # transformers' own
            return
        if others := self.tokenizer.letters_of_other_scripts(text):
            message = self.tokenizer.supported_scripts.describe(others)
            if strict:
                raise UnsupportedTextError(message)
            if self.tokenizer.phonemize or self.tokenizer.is_uroman:  # else they are dropped, and reported so
                logger.warning(message)
        if strict:
            dropped = sum(map(self.tokenizer.dropped_characters, self.sentences(text)), Counter())
            if lost := Counter({symbol: count for symbol, count in dropped.items() if symbol.isalnum()}):
                raise UnsupportedTextError(f"The voice does not know everything in the text: {describe_dropped(lost)}.")

    def _encodings(self, text: str, arguments: dict, first: int = 0) -> Iterator[tuple[int, Mapping]]:
        """Of the sentences from number `first` on that have something to say, with their numbers; if none of the whole
        text has, its error."""
        spoken = first > 0
        for number, sentence in enumerate(self.sentences(text)[first:], first):
            try:
                with scripts.without_warnings():
                    encoding = self.tokenizer(sentence, return_tensors="pt", **arguments)
            except NoTokensError:  # a line of asterisks between paragraphs
                continue
            spoken = True
            yield number, encoding
        if not spoken:
            yield 0, self.tokenizer(text, return_tensors="pt", **arguments)

    def _forward(self, model_inputs: dict, **controls) -> dict:
        own, is_last = model_inputs.pop("controls"), model_inputs.pop("is_last")
        model_inputs.pop("sentence")
        if isinstance(own, list):  # a batch of several sentences
            names = {name for item in own for name in item}
            own = {name: [self._control(name, item, controls) for item in own] for name in names}
        out = self.model(**model_inputs, **{**controls, **own})
        return {"waveform": out.waveform, "sequence_lengths": out.sequence_lengths, "is_last": is_last}

    def _control(self, name: str, item: dict, controls: dict):
        """The value for one item of a batch in which others have their own."""
        config = self.model.config
        only_one = {"speaker_id": config.num_speakers == 1, "language_id": config.num_languages == 1}
        default = 0 if only_one.get(name) else None
        return item.get(name, controls.get(name, getattr(config, name, default)))

    def postprocess(self, spoken: list[dict], pause: float = 0.0) -> dict:
        """The sentences of one text -> `{"audio": (T_wav,), "sampling_rate": hertz}`."""
        silence = np.zeros(round(pause * self.sampling_rate), dtype=np.float32)
        pieces = []
        for sentence in spoken:
            waveform = sentence["waveform"][0, : int(sentence["sequence_lengths"][0])]
            pieces += [silence, _samples(waveform)]
        return {"audio": np.concatenate(pieces[1:]), "sampling_rate": self.sampling_rate}


def _samples(waveform: Tensor) -> np.ndarray:
    return waveform.to("cpu", torch.float32).numpy()


def _is_list(value) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, Tensor | np.ndarray) and value.ndim == 1)


def _with_controls(texts, per_text: dict) -> list[dict]:
    """texts and lists of values -> one dictionary per text."""
    if not isinstance(texts, list):
        raise ValueError(f"A list of values for {', '.join(per_text)} needs a list of texts.")
    values = {name: value if isinstance(value, list | tuple) else value.tolist() for name, value in per_text.items()}
    for name, items in values.items():
        if len(items) != len(texts):
            raise ValueError(
                f"`{name}` has {len(items)} values for {len(texts)} texts; pass one, or one for each text."
            )
    items = [text if isinstance(text, dict) else {"text": text} for text in texts]
    return [{**item, **{name: values[name][i] for name in values}} for i, item in enumerate(items)]
