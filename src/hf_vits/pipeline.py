"""TextToSpeechPipeline: texts of any length to waveforms, in the calling convention of transformers' pipeline."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import TextToAudioPipeline
from transformers.pipelines.base import ChunkPipeline

from hf_vits.conversion.pipeline_parts import resolve_model, resolve_tokenizer
from hf_vits.inference import items, short_texts
from hf_vits.inference.arguments import CallArguments, check_chunk_frames
from hf_vits.inference.sentences import SentenceEncoder
from hf_vits.prosody import arguments as prosody
from hf_vits.prosody.effects import SentenceEffects
from hf_vits.prosody.script import Sentence
from hf_vits.prosody.spoken import SpokenText
from hf_vits.ssml.document import is_ssml
from hf_vits.ssml.reader import VoiceTraits
from hf_vits.ssml.texts import scripted_sentences
from hf_vits.text import writing_systems
from hf_vits.text.espeak import voice_for
from hf_vits.text.lexicon import Lexicon
from hf_vits.timestamps.timeline import check_units, sentence_tokens
from hf_vits.timestamps.tokens import SentenceTokens
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.formatting import refuse_unknown

logger = logging.getLogger(__name__)

OTHER_ARGUMENTS = ("pause", "strict", "short_text_context", "return_timestamps", "expand", "lexicon")

ARGUMENTS = (*items.PER_TEXT_ARGUMENTS, *prosody.NAMES, *OTHER_ARGUMENTS, "preprocess_params", "forward_params")
"""All arguments of a call; the last two, which are transformers', go to the tokenizer and to the model."""

BESIDE = ("context", "effects")
"""What accompanies a sentence through the model."""

MAX_PAUSE = 60.0
"""Longest silence between sentences, in seconds."""


class TextToSpeechPipeline(SentenceEncoder, ChunkPipeline, TextToAudioPipeline):
    """
    Synthesize texts of any length, sentence by sentence, each trimmed to its own end.

    Build it as `TextToSpeechPipeline(voice)`, or by `transformers.pipeline(…, pipeline_class=TextToSpeechPipeline)`.
    Call it with a text, a list of texts, or an iterable of texts (a generator, a column of a dataset), which is read as
    results are asked for; `batch_size` sentences are synthesized at once. In place of a text it takes
    `{"text": …, "speaker_id": …}` with any of the arguments up to `durations`. A text that begins with `<speak` is an
    SSML document.

    Args:
        model ([`VitsModel`], `transformers.VitsModel`, `str` or `PathLike`):
            The voice: a model, a folder, `"default"`, or a name on the Hub.
        tokenizer ([`VitsTokenizer`], `str` or `PathLike`, *optional*):
            Its tokenizer, or the folder or name of it; by default the one stored beside the model.
        dtype (`torch.dtype`, *optional*):
            In which the decoder of a model that is loaded by its name computes; by default as it was saved. A model
            that is given must have it already.
        speaker_id (`int` or `str`, or a list with one per text, *optional*):
            Id or name of the speaker; required by a model of several speakers.
        language_id (`int` or `str`, or a list with one per text, *optional*):
            Id or name of the language; required by a model of several languages.
        noise_scale, noise_scale_duration, speaking_rate (`float`, or a list with one per text, *optional*):
            As in [`VitsModel.forward`]; the configuration's values by default.
        generator (`torch.Generator`, or a list with one per text, *optional*):
            Source of the noise, for repeatable output.
        word_rates, pauses, volume, pitch, pitch_range (`float`, or by word, *optional*):
            Factor of the rate, seconds of silence after a word, decibels, semitones, and factor of the range of pitch:
            a number for the whole text, a list with one for each word, or a dictionary by the index of the word.
        durations (`list`, *optional*):
            Frames of every token, in place of the predicted ones; a list of lists for several sentences.
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
        for several units a dictionary of such lists by unit. For SSML, `"marks"` too: `{"name": str, "time": float}`.

    Raises:
        ValueError: if a text holds nothing to synthesize, an argument is out of range, or a model has another `dtype`.
        SsmlError: a `ValueError`, for an SSML document that is not well-formed or, with `strict`, asks for something
            that has no effect here, which otherwise a warning lists.
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

    def __init__(self, model, tokenizer=None, dtype=None, **kwargs):
        model = resolve_model(model, dtype)
        super().__init__(model=model, tokenizer=resolve_tokenizer(tokenizer, model), **kwargs)

    def __call__(self, text_inputs, **kwargs):
        """Synthesize; arguments are those of the class."""
        per_text = {name: kwargs.pop(name) for name in items.PER_TEXT_ARGUMENTS if items.is_list(kwargs.get(name))}
        if isinstance(text_inputs, tuple):
            text_inputs = list(text_inputs)
        elif isinstance(text_inputs, Iterable) and not isinstance(text_inputs, str | bytes | dict | list | Dataset):
            text_inputs = (text for text in text_inputs)
        if isinstance(text_inputs, list) and not text_inputs:
            return []
        by_word = [
            name for name in prosody.NAMES if items.is_list(value := kwargs.get(name)) or isinstance(value, Mapping)
        ]
        if by_word and not isinstance(text_inputs, str | dict):
            raise ValueError(f"Values by word of {', '.join(by_word)} belong to one text; give them in its dictionary.")
        return super().__call__(items.merged(text_inputs, per_text) if per_text else text_inputs, **kwargs)

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
                Frames of `hop_length` samples per chunk; by default about 20 at the beginning, then 4 to 16 times as
                many as before, the more the faster the decoder is, up to about 500. A later sentence begins with as
                many as can be made while the one before it is played.
            first_sentence (`int`, *optional*, defaults to 0):
                Index of the sentence to start at, after the pause before it. With a generator in the state that it had
                there, chunks equal those of a stream of the whole text.
            **kwargs:
                Other arguments of the class, such as `speaker_id` and `pause`.

        Returns:
            `Iterator[dict]`: `{"audio": float32 array (samples,), "sampling_rate": int, "sentence": int, "is_pause":
            bool}` per chunk; `sentence` is the index in `sentences(text)`, for a pause that of the sentence after it. A
            sentence with a change of pitch is one chunk. With `return_timestamps`, `"timestamps"` of what begins in the
            chunk, in seconds from the beginning of the stream; concatenated they equal those of a call. So do the
            `"marks"` of SSML.

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
        items.text_and_arguments(text)
        check_chunk_frames(chunk_frames)
        preprocess, forward, postprocess = self._sanitize_parameters(**kwargs)
        preprocess = {**self._preprocess_params, **preprocess, "first_sentence": first_sentence}
        forward = {**self._forward_params, **forward}
        postprocess = {**self._postprocess_params, **postprocess}
        pause, wanted = postprocess.get("pause", 0.0), postprocess.get("return_timestamps")
        sentences = self.preprocess(text, **preprocess)
        return self._chunks(sentences, forward, pause, wanted, chunk_frames, first_sentence > 0)

    @torch.no_grad()
    def _chunks(
        self,
        sentences: Iterator[dict],
        forward: dict,
        pause: float,
        wanted: str | tuple[str, ...] | None,
        chunk_frames: int | None,
        pause_first: bool,
    ) -> Iterator[dict]:
        silence = np.zeros(round(pause * self.sampling_rate), dtype=np.float32)
        spoken, before = SpokenText(wanted, self.model.config), 0  # samples since the sentence before began
        for sentence in sentences:
            fields = {"sampling_rate": self.sampling_rate, "sentence": sentence["sentence"]}
            effects = sentence["effects"]
            if pause_first and len(silence) and not (effects and effects.begins_with_pause):
                spoken.pause(len(silence), effects)
                before += len(silence)
                yield {"audio": silence.copy(), **fields, "is_pause": True, **spoken.take(len(silence))}
            pause_first = True
            inputs = {name: sentence[name] for name in ("input_ids", "attention_mask")}
            inputs = self._ensure_tensor_on_device(inputs, self.device)
            arguments = CallArguments.from_ids(self.model, **inputs, **{**forward, **sentence["arguments"]})
            prior = self.model._prior(arguments)
            kept = short_texts.kept(sentence, prior.durations[0].tolist())
            audio = spoken.sentence(kept["tokens"], kept["durations"], effects)
            frames = prior.sample.shape[-1] if effects and effects.needs_whole else chunk_frames
            chunks = self.model._stream(prior, arguments.speaker, frames, before / self.model.hop_length)
            before = 0
            for waveform in short_texts.without_first(chunks, kept["cut"] * self.model.hop_length):
                samples = _to_numpy(waveform[0]).copy()
                samples = audio.add(samples) if audio else samples
                before += len(samples)
                yield {"audio": samples, **fields, "is_pause": False, **spoken.take(len(samples))}

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
        given = {name: value for name, value in per_text.items() if value is not None and name not in prosody.NAMES}
        lists = [name for name, value in given.items() if items.is_list(value)]
        if lists:
            raise ValueError(f"A list of values for {', '.join(lists)} belongs in a call, beside its list of texts.")
        if pause is not None and not (isinstance(pause, int | float) and 0 <= pause <= MAX_PAUSE):
            raise ValueError(f"`pause` is {pause!r}; it must be a number of seconds, 0 to {MAX_PAUSE:g}.")
        switches = {"strict": strict, "short_text_context": short_text_context}
        switches["prosody_arguments"] = prosody.check_prosody(per_text) or None
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
        prosody_arguments: Mapping[str, Any] | None = None,
        **tokenizer_arguments,
    ) -> Iterator[dict]:
        """text -> input_ids and attention_mask (1, T_text) of each sentence from `first_sentence` on, the arguments of
        its item, its effects, its index, whether it is the last, and with offsets the tokens of it and of skipped ones
        beside it."""
        text, arguments = items.text_and_arguments(text)
        prosody_arguments = {**(prosody_arguments or {}), **prosody.check_prosody(arguments)}
        arguments = {name: value for name, value in arguments.items() if name not in prosody.NAMES}
        sentences = self._scripted(text, prosody_arguments, strict)
        plain = text if sentences is None else "\n".join(sentence.text for sentence in sentences)
        self._check_readable(plain, strict, tokenizer_arguments)
        if sentences is None:
            sentences = self.sentences(text)
            if short_text_context and (encoding := self._in_context(sentences, tokenizer_arguments)) is not None:
                yield {**encoding, "arguments": arguments, "sentence": 0, "effects": None, "is_last": True}
                return
        previous, skipped = None, []  # one behind, to know which is the last
        for index, sentence, encoding in self._encodings(plain, sentences, tokenizer_arguments, first_sentence):
            if encoding is None:
                skipped.append(sentence)
                continue
            if previous is not None:
                yield {**previous, "is_last": False}
            previous = {**encoding, "context": None, "sentence": index, "effects": None, "arguments": arguments}
            if isinstance(sentence, Sentence):
                with_tokens = tokenizer_arguments.get("return_offsets_mapping", False)
                self._add_effects(previous, sentence, is_ssml(text), with_tokens)
            _add_skipped(previous, skipped, before=True)
            skipped = []
        if previous is not None:
            _add_skipped(previous, skipped, before=False)
            yield {**previous, "is_last": True}

    def _scripted(
        self, text: str, prosody_arguments: Mapping[str, Any], strict: bool | None = None
    ) -> list[Sentence] | None:
        """Return the sentences of an SSML document, or of a text with a prosody; None for any other text."""
        if not prosody_arguments and not is_ssml(text):
            return None
        config, reads_phonemes = self.model.config, getattr(self.tokenizer, "phonemize", False)
        language = getattr(self.tokenizer, "text_language", None)
        names = config.speaker_names or (), config.language_names or ()
        voice = VoiceTraits(language, reads_phonemes, *names, config.num_speakers)
        found = scripted_sentences(text, voice, self._split, prosody_arguments, strict)
        has_comma = "," in self.tokenizer.get_vocab()
        return [sentence.with_commas() for sentence in found] if has_comma else found

    def sentences(self, text: str) -> list[str]:
        """Return the sentences in which a text is synthesized, by the conventions of its language; for SSML, what is
        written in them."""
        found = self._scripted(text, {})
        return self._split(text) if found is None else [sentence.content for sentence in found]

    def _add_effects(self, item: dict, sentence: Sentence, is_document: bool, with_tokens: bool) -> None:
        """Add the effects of a sentence, and what they mean for the arguments of its call."""
        effects = item["effects"] = SentenceEffects(sentence, item.pop("tokens"), is_document)
        rates = {} if set(effects.token_rates) == {1.0} else {"token_rates": [effects.token_rates]}
        spans = effects.span_durations(self.model.config.hop_length, self.sampling_rate)
        spans = {"span_durations": [spans]} if spans else {}
        item["arguments"] = {**item["arguments"], **sentence.arguments, **rates, **spans}
        if with_tokens:
            item["tokens"] = effects.tokens

    def _in_context(self, sentences: list[str], arguments: dict) -> dict | None:
        """Return the encoding of a short text in its context; None for other texts, and voices without commas."""
        language = getattr(self.tokenizer, "text_language", None)
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
                "Timestamps and prosody need the tokenizer of hf_vits, and this pipeline has "
                f"{type(self.tokenizer).__module__}.{type(self.tokenizer).__name__}; pass "
                "`tokenizer=VitsTokenizer.from_pretrained(voice)`."
            )
        encoding = self.tokenizer(sentence, return_tensors="pt", return_offsets_mapping=True, **arguments)
        ids, offsets = encoding["input_ids"][0].tolist(), encoding.pop("offset_mapping")[0].tolist()
        return {**encoding, "tokens": sentence_tokens(self.tokenizer, sentence, ids, offsets)}

    def _forward(self, model_inputs: dict, **forward) -> dict:
        arguments, is_last = model_inputs.pop("arguments"), model_inputs.pop("is_last")
        tokens, beside = model_inputs.pop("tokens", None), {name: model_inputs.pop(name) for name in BESIDE}
        model_inputs.pop("sentence")
        if isinstance(arguments, list):  # a batch of several sentences
            names = {name for item in arguments for name in item}
            by_token = items.padded(arguments, names, model_inputs["input_ids"].shape[1])
            own = {
                name: [self._argument(name, item, forward) for item in arguments]
                for name in names - set(items.BY_TOKEN)
            }
            arguments = {**own, **by_token}
        out = self.model(**model_inputs, **{**forward, **arguments})
        outputs = {"waveform": out.waveform, "sequence_lengths": out.sequence_lengths, "is_last": is_last}
        outputs |= beside
        if tokens is not None or any(any(value) if isinstance(value, list) else value for value in beside.values()):
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
        parts, spoken = [], SpokenText(return_timestamps, self.model.config)
        for output in outputs:
            kept, effects = short_texts.kept(output, output.get("durations", ())), output.get("effects")
            begin = kept["cut"] * self.model.config.hop_length
            waveform = _to_numpy(output["waveform"][0, begin : int(output["sequence_lengths"][0])])
            if parts and not (effects and effects.begins_with_pause):
                parts.append(silence)
                spoken.pause(len(silence))
            audio = spoken.sentence(kept["tokens"], kept["durations"], effects)
            parts.append(audio.add(waveform) if audio else waveform)
        return {"audio": np.concatenate(parts), "sampling_rate": self.sampling_rate, **spoken.take()}


def _add_skipped(item: dict, skipped: list[str | Sentence], before: bool) -> None:
    """Add the tokens and events of sentences that are not spoken, before or after an encoded one."""
    events = [event for one in skipped if isinstance(one, Sentence) for _, event in one.events]
    if events:
        (item["effects"].prepend if before else item["effects"].append)(events)
    if "tokens" in item:
        tokens = [SentenceTokens(one if isinstance(one, str) else one.content) for one in skipped]
        own = item["tokens"] if isinstance(item["tokens"], list) else [item["tokens"]]
        item["tokens"] = [*tokens, *own] if before else [*own, *tokens]


def _to_numpy(waveform: Tensor) -> np.ndarray:
    return waveform.to("cpu", torch.float32).numpy()
