"""TextToSpeechPipeline: texts of any length to waveforms, in the calling convention of transformers' pipeline."""

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
from hf_vits.inference import short_texts
from hf_vits.inference.arguments import CallArguments, check_chunk_frames
from hf_vits.modeling_vits import VitsModel
from hf_vits.text import sentence_splitter, writing_systems
from hf_vits.text.errors import NoTokensError, UnsupportedTextError, dropped_message
from hf_vits.text.espeak import voice_for
from hf_vits.text.lexicon import Lexicon
from hf_vits.timestamps.timeline import Timeline, Timestamps, check_units, sentence_tokens
from hf_vits.timestamps.tokens import SentenceTokens
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.formatting import meant, refuse_unknown

logger = logging.getLogger(__name__)

PER_TEXT_ARGUMENTS = ("speaker_id", "language_id", "noise_scale", "noise_scale_duration", "speaking_rate", "generator")
"""Arguments that take one value for all texts, or a list with one per text."""

OTHER_ARGUMENTS = ("pause", "strict", "short_text_context", "return_timestamps", "expand", "lexicon")

ARGUMENTS = (*PER_TEXT_ARGUMENTS, *OTHER_ARGUMENTS, "preprocess_params", "forward_params")
"""All arguments of a call; the last two, which are transformers', go to the tokenizer and to the model."""

MAX_CHARACTERS = 1_000_000
"""Longest text of one call: a long book, and more than a day of speech."""

MAX_PAUSE = 60.0
"""Longest silence between sentences, in seconds."""


class TextToSpeechPipeline(ChunkPipeline, TextToAudioPipeline):
    """
    Synthesize texts of any length, sentence by sentence, each trimmed to its own end.

    Build it as `TextToSpeechPipeline(voice)`, or by `transformers.pipeline(…, pipeline_class=TextToSpeechPipeline)`.
    Call it with a text, a list of texts, or an iterable of texts (a generator, a column of a dataset), which is read as
    results are asked for; `batch_size` sentences are synthesized at once. In place of a text it takes
    `{"text": …, "speaker_id": …}` with any of the arguments that a list can give per text.

    Args:
        model ([`VitsModel`], `transformers.VitsModel`, `str` or `PathLike`):
            The voice: a model, a folder, `"default"`, or a name on the Hub.
        tokenizer ([`VitsTokenizer`], `str` or `PathLike`, *optional*):
            Its tokenizer, or the folder or name of it; by default the one stored beside the model.
        speaker_id (`int` or `str`, or a list with one per text, *optional*):
            Id or name of the speaker; required by a model of several speakers.
        language_id (`int` or `str`, or a list with one per text, *optional*):
            Id or name of the language; required by a model of several languages.
        noise_scale, noise_scale_duration, speaking_rate (`float`, or a list with one per text, *optional*):
            As in [`VitsModel.forward`]; the configuration's values by default.
        generator (`torch.Generator`, or a list with one per text, *optional*):
            Source of the noise, for repeatable output.
        pause (`float`, *optional*, defaults to 0.0):
            Seconds of silence between sentences, 60 at most.
        strict (`bool`, *optional*, defaults to `False`):
            Refuse a text with letters of a script that its language is not written in, or with letters, digits or
            phonemes that are not in the vocabulary. Otherwise a warning names them.
        short_text_context (`bool`, *optional*, defaults to `False`):
            Speak a text of one to three words after others, which are cut away: voices that were trained on sentences
            pronounce it more clearly. It takes two to three times the work. Other texts do not change, nor those of a
            voice without commas.
        return_timestamps (`str`, `list[str]` or `bool`, *optional*):
            `"word"`, `"character"`, `"phoneme"` or `"sentence"` for their times, as written in the text; several of
            them, or `True` for all.

        expand (`bool`, *optional*, defaults to `False`):
            Read numbers, money, dates, abbreviations and other written forms as a person reads them.
        lexicon (`str`, `PathLike`, `dict` or [`Lexicon`], *optional*):
            How to pronounce words: a table, or `{"Nguyen": "[[wˈɪn]]", "GIF": "jiff"}`.

    Returns:
        `{"audio": float32 array (T_wav,), "sampling_rate": int}` in hertz for a text, a list of them for a list. With
        `return_timestamps`, `"timestamps"` too: a list of `{"text": str, "start": float, "end": float}` in seconds,
        for several units a dictionary of such lists by unit.

    Raises:
        ValueError: if a text holds nothing to synthesize, or an argument is out of range.
        UnsupportedTextError: a `ValueError`, if a text cannot be read completely, with `strict`.
        TypeError: for an unknown argument; names the nearest ones.

    Example:

    ```python
    >>> from hf_vits import TextToSpeechPipeline

    >>> pipe = TextToSpeechPipeline("default")
    >>> speech = pipe("Hello there.", speaking_rate=1.1)
    >>> speech["sampling_rate"]
    22050
    ```
    """

    _load_tokenizer = False  # `transformers.pipeline` would load its own class; `__init__` loads ours

    def __init__(self, model, tokenizer=None, **kwargs):
        model = _resolve_model(model)
        super().__init__(model=model, tokenizer=_resolve_tokenizer(tokenizer, model), **kwargs)

    def __call__(self, text_inputs, **kwargs):
        """Synthesize; arguments are those of the class."""
        per_text = {name: kwargs.pop(name) for name in PER_TEXT_ARGUMENTS if _is_list(kwargs.get(name))}
        if isinstance(text_inputs, tuple):
            text_inputs = list(text_inputs)
        elif isinstance(text_inputs, Iterable) and not isinstance(text_inputs, str | bytes | dict | list | Dataset):
            text_inputs = (text for text in text_inputs)
        if isinstance(text_inputs, list) and not text_inputs:
            return []
        return super().__call__(_merged(text_inputs, per_text) if per_text else text_inputs, **kwargs)

    def stream(
        self, text: str | dict, *, chunk_frames: int | None = None, first_sentence: int = 0, **kwargs
    ) -> Iterator[dict[str, np.ndarray | int]]:
        """
        Synthesize a text chunk by chunk; the first chunk takes the text encoder of one sentence and a few frames.

        Concatenated chunks equal the audio of a call, to rounding. Memory does not grow with the number of sentences.

        Args:
            text (`str` or `dict`):
                A single text, as in a call.
            chunk_frames (`int`, *optional*):
                Frames of `hop_length` samples per chunk; by default about 10 at the beginning of each sentence, then
                about 30, then about 100 each.
            first_sentence (`int`, *optional*, defaults to 0):
                Index of the sentence to start at, after the pause before it. With a generator in the state that it had
                there, chunks equal those of a stream of the whole text.
            **kwargs:
                Other arguments of the class, such as `speaker_id` and `pause`.

        Returns:
            `Iterator[dict]`: `{"audio": float32 array (samples,), "sampling_rate": int, "sentence": int}` per chunk;
            `sentence` is the index in `sentences(text)`, for a pause that of the sentence after it. With
            `return_timestamps`, `"timestamps"` of what begins in the chunk, in seconds from the beginning of the
            stream; concatenated they equal those of a call.

        Raises:
            ValueError: as a call. What depends on the tokenizer or the model (a number out of range, nothing to
                synthesize) is raised at the first chunk.
            TypeError: for more than one text.

        Example:

        ```python
        >>> from hf_vits import TextToSpeechPipeline

        >>> pipe = TextToSpeechPipeline("default")
        >>> chunks = list(pipe.stream("Hello there. How are you?", pause=0.2))
        >>> len(chunks) > 2
        True
        ```
        """
        if isinstance(text, list | tuple):
            raise TypeError(f"There are {len(text)} texts; a stream takes one. Join them, or stream one after another.")
        refuse_unknown("TextToSpeechPipeline.stream", kwargs, (*ARGUMENTS, "chunk_frames"))
        _text_and_arguments(text)
        check_chunk_frames(chunk_frames)
        preprocess, forward, postprocess = self._sanitize_parameters(**kwargs)
        preprocess = {**self._preprocess_params, **preprocess, "first_sentence": first_sentence}
        forward = {**self._forward_params, **forward}
        postprocess = {**self._postprocess_params, **postprocess}
        pause, timeline = postprocess.get("pause", 0.0), self._timeline(postprocess.get("return_timestamps"))
        sentences = self.preprocess(text, **preprocess)
        return self._chunks(sentences, forward, pause, timeline, chunk_frames, first_sentence > 0)

    def _timeline(self, wanted: str | tuple[str, ...] | None) -> Timeline | None:
        return None if wanted is None else Timeline(wanted, self.model.config)

    @torch.no_grad()
    def _chunks(
        self,
        sentences: Iterator[dict],
        forward: dict,
        pause: float,
        timeline: Timeline | None,
        chunk_frames: int | None,
        pause_first: bool,
    ) -> Iterator[dict]:
        silence = np.zeros(round(pause * self.sampling_rate), dtype=np.float32)
        for sentence in sentences:
            fields = {"sampling_rate": self.sampling_rate, "sentence": sentence["sentence"]}
            if pause_first and len(silence):
                yield {"audio": silence.copy(), **fields, **_pause(timeline, len(silence))}
            pause_first = True
            inputs = {name: sentence[name] for name in ("input_ids", "attention_mask")}
            inputs = self._ensure_tensor_on_device(inputs, self.device)
            arguments = CallArguments.from_ids(self.model, **inputs, **{**forward, **sentence["arguments"]})
            prior = self.model._prior(arguments)
            spoken = short_texts.kept(sentence, prior.durations[0].tolist())
            if timeline is not None:
                timeline.sentence(spoken["tokens"], spoken["durations"])
            chunks = self.model._stream(prior, arguments.speaker, chunk_frames)
            for waveform in short_texts.without_first(chunks, spoken["cut"] * self.model.config.hop_length):
                times = {} if timeline is None else {"timestamps": timeline.take(waveform.shape[1])}
                yield {"audio": _to_numpy(waveform[0]).copy(), **fields, **times}

    def _sanitize_parameters(
        self,
        pause=None,
        strict=None,
        short_text_context=None,
        return_timestamps=None,
        expand=None,
        lexicon=None,
        preprocess_params=None,
        forward_params=None,
        **per_text,
    ) -> tuple[dict, dict, dict]:
        refuse_unknown("TextToSpeechPipeline", per_text, (*ARGUMENTS, "batch_size", "num_workers"))
        given = {name: value for name, value in per_text.items() if value is not None}
        lists = [name for name, value in given.items() if _is_list(value)]
        if lists:
            raise ValueError(f"A list of values for {', '.join(lists)} belongs in a call, beside its list of texts.")
        if pause is not None and not (isinstance(pause, int | float) and 0 <= pause <= MAX_PAUSE):
            raise ValueError(f"`pause` is {pause!r}; it must be a number of seconds, 0 to {MAX_PAUSE:g}.")
        switches = {"strict": strict, "short_text_context": short_text_context}
        preprocess = {**(preprocess_params or {}), **{k: value for k, value in switches.items() if value is not None}}
        postprocess = {} if pause is None else {"pause": pause}
        if expand is not None or lexicon is not None:
            preprocess |= self._rewriting(expand, lexicon)
        if return_timestamps is not None:
            postprocess["return_timestamps"] = check_units(return_timestamps)
            preprocess["return_offsets_mapping"] = postprocess["return_timestamps"] is not None
        return preprocess, {**(forward_params or {}), **given}, postprocess

    def _rewriting(self, expand: bool | None, lexicon: Any) -> dict:
        """Return the tokenizer's arguments for these; raise `ValueError` for a tokenizer that does not take them."""
        if not isinstance(self.tokenizer, VitsTokenizer):
            raise ValueError(
                "`expand` and `lexicon` need the tokenizer of hf_vits; pass "
                "`tokenizer=VitsTokenizer.from_pretrained(voice)`."
            )
        given = {} if expand is None else {"expand": bool(expand)}
        return given if lexicon is None else {**given, "lexicon": Lexicon.of(lexicon)}

    def preprocess(
        self,
        text: str | dict,
        strict: bool = False,
        first_sentence: int = 0,
        short_text_context: bool = False,
        **tokenizer_arguments,
    ) -> Iterator[dict]:
        """text -> input_ids and attention_mask (1, T_text) of each sentence from `first_sentence` on, the arguments of
        its item, its index, whether it is the last, and with offsets the tokens of it and of skipped ones beside it."""
        text, arguments = _text_and_arguments(text)
        self._check_readable(text, strict, tokenizer_arguments)
        if short_text_context and (encoding := self._in_context(text, tokenizer_arguments)) is not None:
            yield {**encoding, "arguments": arguments, "sentence": 0, "is_last": True}
            return
        previous, skipped = None, []  # one behind, to know which is the last
        for index, encoding in self._encodings(text, tokenizer_arguments, first_sentence):
            if isinstance(encoding, str):
                skipped.append(SentenceTokens(encoding))
                continue
            if previous is not None:
                yield {**previous, "is_last": False}
            previous = {**encoding, "context": None, "arguments": arguments, "sentence": index}
            if "tokens" in previous:
                previous["tokens"], skipped = [*skipped, previous["tokens"]], []
        if previous is not None:
            previous |= {"tokens": [*previous["tokens"], *skipped]} if "tokens" in previous else {}
            yield {**previous, "is_last": True}

    def sentences(self, text: str) -> list[str]:
        """Return the sentences in which a text is synthesized, by the conventions of its language."""
        return sentence_splitter.split(text, language=getattr(self.tokenizer, "text_language", None))

    def _check_readable(self, text: str, strict: bool, arguments: dict) -> None:
        """Warn once about letters of other scripts; if `strict`, raise for those and for all else that is left out."""
        if not hasattr(self.tokenizer, "letters_of_other_scripts"):  # transformers' own
            return
        if others := self.tokenizer.letters_of_other_scripts(text):
            message = self.tokenizer.supported_scripts.describe(others)
            if strict:
                raise UnsupportedTextError(message)
            if self.tokenizer.phonemize or self.tokenizer.is_uroman:  # otherwise the tokenizer warns of dropping them
                logger.warning(message)
        if strict:
            given = {name: arguments[name] for name in ("expand", "lexicon") if name in arguments}
            sentences = self.sentences(text)
            dropped = sum((self.tokenizer.dropped_characters(item, **given) for item in sentences), Counter())
            if lost := Counter({character: count for character, count in dropped.items() if character.isalnum()}):
                raise UnsupportedTextError(dropped_message(lost))

    def _encodings(self, text: str, arguments: dict, first: int = 0) -> Iterator[tuple[int, Mapping | str]]:
        """Return index and encoding of each sentence from `first` on, the sentence itself if it has no tokens; if no
        sentence of the text has any, raise the tokenizer's error for the text."""
        is_empty = first == 0
        for index, sentence in enumerate(self.sentences(text)[first:], first):
            try:
                with writing_systems.without_warnings():
                    encoding = self._encoding(sentence, **arguments)
            except NoTokensError:  # such as a line of asterisks between paragraphs
                yield index, sentence
                continue
            is_empty = False
            yield index, encoding
        if is_empty:
            yield 0, self._encoding(text, **arguments)

    def _in_context(self, text: str, arguments: dict) -> dict | None:
        """Return the encoding of a short text in its context; None for other texts, and voices without commas."""
        sentences, language = self.sentences(text), getattr(self.tokenizer, "text_language", None)
        code = voice_for(language).split("-")[0] if language else None
        found = short_texts.in_context(sentences[0], code) if len(sentences) == 1 else None
        if found is None or "," not in self.tokenizer.get_vocab():
            return None
        wanted = arguments.get("return_offsets_mapping", False)
        with writing_systems.without_warnings():
            encoding = self._encoding(found[0], **{**arguments, "return_offsets_mapping": True})
        lead = round(short_texts.LEAD_SECONDS * self.sampling_rate / self.model.config.hop_length)
        tokens = encoding.pop("tokens")
        encoding["context"] = short_texts.InContext(sentences[0], found[1], tokens, lead)
        return {**encoding, "tokens": [tokens]} if wanted else encoding

    def _encoding(self, sentence: str, return_offsets_mapping: bool = False, **arguments) -> dict:
        """Return the tokenizer's output for a sentence, with a [`SentenceTokens`] in place of offsets."""
        if not return_offsets_mapping:
            return self.tokenizer(sentence, return_tensors="pt", **arguments)
        if not isinstance(self.tokenizer, VitsTokenizer):
            raise ValueError(
                f"Timestamps need the tokenizer of hf_vits, and this pipeline has {type(self.tokenizer).__module__}."
                f"{type(self.tokenizer).__name__}; pass `tokenizer=VitsTokenizer.from_pretrained(voice)`."
            )
        encoding = self.tokenizer(sentence, return_tensors="pt", return_offsets_mapping=True, **arguments)
        ids, offsets = encoding["input_ids"][0].tolist(), encoding.pop("offset_mapping")[0].tolist()
        return {**encoding, "tokens": sentence_tokens(self.tokenizer, sentence, ids, offsets)}

    def _forward(self, model_inputs: dict, **forward) -> dict:
        arguments, is_last = model_inputs.pop("arguments"), model_inputs.pop("is_last")
        tokens, context = model_inputs.pop("tokens", None), model_inputs.pop("context")
        model_inputs.pop("sentence")
        if isinstance(arguments, list):  # a batch of several sentences
            names = {name for item in arguments for name in item}
            arguments = {name: [self._argument(name, item, forward) for item in arguments] for name in names}
        out = self.model(**model_inputs, **{**forward, **arguments})
        outputs = {"waveform": out.waveform, "sequence_lengths": out.sequence_lengths, "is_last": is_last}
        outputs["context"] = context
        if tokens is not None or (any(context) if isinstance(is_last, list) else context):
            real = model_inputs["attention_mask"].bool()
            frames = [row[mask].tolist() for row, mask in zip(out.durations, real, strict=True)]
            outputs["durations"] = frames if isinstance(is_last, list) else frames[0]
        return outputs if tokens is None else {**outputs, "tokens": tokens}

    def _argument(self, name: str, item: dict, forward: dict):
        """Return an argument of one item of a batch in which other items have a value of their own."""
        config = self.model.config
        is_only = {"speaker_id": config.num_speakers == 1, "language_id": config.num_languages == 1}
        default = 0 if is_only.get(name) else None
        return item.get(name, forward.get(name, getattr(config, name, default)))

    def postprocess(
        self, outputs: list[dict], pause: float = 0.0, return_timestamps: str | tuple[str, ...] | None = None
    ) -> dict:
        """Outputs of the sentences of one text -> `{"audio": (T_wav,), "sampling_rate": hertz}`, and timestamps."""
        silence = np.zeros(round(pause * self.sampling_rate), dtype=np.float32)
        parts, timeline = [], self._timeline(return_timestamps)
        for output in outputs:
            spoken = short_texts.kept(output, output.get("durations", ()))
            begin = spoken["cut"] * self.model.config.hop_length
            waveform = output["waveform"][0, begin : int(output["sequence_lengths"][0])]
            if timeline is not None:
                timeline.pause(len(silence) if parts else 0)
                timeline.sentence(spoken["tokens"], spoken["durations"])
            parts += [silence, _to_numpy(waveform)]
        speech = {"audio": np.concatenate(parts[1:]), "sampling_rate": self.sampling_rate}
        return speech if timeline is None else {**speech, "timestamps": timeline.take()}


def _resolve_model(model: Any) -> VitsModel:
    """Return a model as it is, load it by name, or copy the weights of transformers' model; `TypeError` for others."""
    if isinstance(model, VitsModel):
        return model
    if isinstance(model, str | os.PathLike):
        return VitsModel.from_pretrained(resolve_voice(model))
    if isinstance(model, PreTrainedModel) and model.config.model_type == VitsConfig.model_type:
        return _from_transformers(model)
    raise TypeError(
        f"`model` is {type(model).__name__}; give a `VitsModel`, or the folder or name of a voice, such as 'default'."
    )


def _from_transformers(model: PreTrainedModel) -> VitsModel:
    """Return our model with the weights of transformers' model, on its device and in its dtype."""
    copied = VitsModel(VitsConfig.from_dict(model.config.to_dict())).to(device=model.device, dtype=model.dtype)
    shapes = {key: tensor.shape for key, tensor in copied.state_dict().items()}
    copied.load_state_dict(match_state_dict(model.state_dict(), shapes, "the model of transformers"))
    copied.config.name_or_path = copied.name_or_path = model.name_or_path
    return copied.train(model.training)


def _resolve_tokenizer(tokenizer: Any, model: VitsModel) -> Any:
    """Return a tokenizer as it is, or load it by name, by default from where the model was loaded; `ValueError` if
    there is none."""
    if isinstance(tokenizer, str | os.PathLike):
        return VitsTokenizer.from_pretrained(resolve_voice(tokenizer, "tokenizer_config.json"))
    if tokenizer is not None:
        return tokenizer
    source = str(model.name_or_path or "")
    if not source:
        raise ValueError(
            "A pipeline needs a tokenizer, and this model was not loaded from a folder that could have one; pass "
            "`tokenizer=VitsTokenizer.from_pretrained(voice)`."
        )
    try:
        return VitsTokenizer.from_pretrained(source)
    except OSError as error:
        raise ValueError(
            f"There is no tokenizer in {source}, from where the model was loaded; pass "
            "`tokenizer=VitsTokenizer.from_pretrained(voice)`."
        ) from error


def _text_and_arguments(text: str | dict) -> tuple[str, dict]:
    """Return the text of an item, and its own arguments if it is a dictionary."""
    arguments = {}
    if isinstance(text, dict):
        arguments = {name: value for name, value in text.items() if name != "text"}
        unknown = sorted(arguments.keys() - set(PER_TEXT_ARGUMENTS))
        if "text" not in text or unknown:
            hint = meant(unknown[0], PER_TEXT_ARGUMENTS) if unknown else ""
            raise ValueError(
                f"An item has the keys {list(text)}{hint or '.'} It takes 'text' and any of "
                f"{', '.join(PER_TEXT_ARGUMENTS)}."
            )
        text = text["text"]
    if not isinstance(text, str):
        raise TypeError(f"A text is given as {type(text).__name__}; pass a string, or a list of strings.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"The text has {len(text):,} characters; one call takes at most {MAX_CHARACTERS:,}. Divide it, "
            "for example by chapter, into a list or a generator of texts."
        )
    return text, arguments


def _merged(texts: Any, per_text: dict) -> list[dict]:
    """Return one dictionary per text, with its value of each argument that has a list of values."""
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


def _pause(timeline: Timeline | None, samples: int) -> dict[str, Timestamps]:
    """Return the timestamps of a chunk of silence, which holds none, if there are to be any."""
    if timeline is None:
        return {}
    timeline.pause(samples)
    return {"timestamps": timeline.take(samples)}


def _to_numpy(waveform: Tensor) -> np.ndarray:
    return waveform.to("cpu", torch.float32).numpy()


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, Tensor | np.ndarray) and value.ndim == 1)
