"""The tokenizer of VITS voices: upstream's files and names, the original front ends' ids, and where each came from."""

import logging
import os
from collections import Counter
from dataclasses import fields
from inspect import signature
from pathlib import Path

from transformers import BatchEncoding, PreTrainedTokenizer, PreTrainedTokenizerBase
from transformers.utils import to_py_obj

from hf_vits.text import scripts, vocabulary
from hf_vits.text.errors import check_added, check_text, describe_dropped, is_batch, nothing_left, of_item
from hf_vits.text.frontend import FLAGS, FrontEnd, UpstreamFrontEnd, check_types, framed_spans, masked, unframed
from hf_vits.text.frontend import framed as in_frame
from hf_vits.text.offsets import Span, TextWithOffsets
from hf_vits.text.vocabulary import Batches, Files
from hf_vits.utils.atomic_folder import new_files
from hf_vits.utils.formatting import refuse_unknown

logger = logging.getLogger(__name__)

CALL_ARGUMENTS = (
    *[name for name in signature(PreTrainedTokenizerBase.__call__).parameters if name not in ("self", "kwargs")],
    "normalize",
    "split_special_tokens",
)
"""Arguments of a call of the tokenizer: transformers' own, and what its preparation of a text takes."""

DECODE_ARGUMENTS = (
    *("token_ids", "skip_special_tokens", "attention_mask", "clean_up_tokenization_spaces"),
    *("use_source_tokenizer", "spaces_between_special_tokens"),
)
"""Arguments of `decode`: ours, and transformers' own, which change nothing here."""

UPSTREAMS = ("language", "add_blank", "normalize", "phonemize", "is_uroman")


class VitsTokenizer(Files, Batches, PreTrainedTokenizer):
    """
    Turns text into the ids a VITS voice was trained on, with a blank between all symbols.

    The files are those of `transformers.VitsTokenizer` and each loads the other's. The ids are those of the front end
    the voice was trained with (original VITS, MMS, Coqui, Piper); `upstream_compatible=True` gives transformers' own.
    The sequence is `[bos] blank s1 blank s2 ... sn blank [eos]`. Special tokens added later are names and change no id.

    Args:
        vocab_file (`str`):
            Path of a JSON file with the id of each symbol.
        pad_token (`str`, *optional*, defaults to `"<pad>"`):
            Fills up the shorter sequences of a batch. May be a letter of the vocabulary. If it is not in the
            vocabulary, the blank's id is used, so that every id has a row in the model.
        unk_token (`str`, *optional*, defaults to `"<unk>"`):
            Kept for upstream's files. Symbols that are not in the vocabulary are dropped and reported instead.
        language (`str`, *optional*):
            ISO 639-3 code of the voice's language.
        add_blank (`bool`, *optional*, defaults to `True`):
            Whether to put the blank around and between all symbols.
        normalize (`bool`, *optional*, defaults to `True`):
            Whether to lower-case the text and, without phonemes, to leave out white space at its ends.
        phonemize (`bool`, *optional*, defaults to `True`):
            Whether to turn the text into phonemes with espeak-ng. What stands in `[[ ]]` is taken as phonemes.
        is_uroman (`bool`, *optional*, defaults to `False`):
            Whether to romanise the text with uroman.
        bos_token (`str`, *optional*):
            Symbol put before the sequence, `"^"` in Piper.
        eos_token (`str`, *optional*):
            Symbol put after the sequence, `"$"` in Piper.
        blank_token (`str`, *optional*):
            Symbol of the blank, `"<BLNK>"` in Coqui and `"_"` in Piper; id 0 if not given.
        phoneme_language (`str`, *optional*):
            espeak-ng voice such as `"en-us"`. If not given, `language`'s; American English without a `language`.
        phoneme_style (`str`, *optional*, defaults to `"vits"`):
            `"vits"` keeps every punctuation mark, `"piper"` only the mark that ends a clause.
        unicode_form (`str`, *optional*):
            Unicode normalisation form of the symbols, `"NFD"` in Piper.
        cleaner (`str`, *optional*):
            `"english"` spells as the original VITS does (ASCII, abbreviations written out), `"none"` does not. If not
            given, `"english"` for normalised English voices with phonemes in the style `"vits"`. One of Coqui's
            cleaners, such as `"phoneme_cleaners"`, is all that is done to the text before its phonemes or letters.
        upstream_compatible (`bool`, *optional*, defaults to `False`):
            Whether to give the ids of `transformers.VitsTokenizer`, bit for bit, where they differ.
        add_bos_eos (`bool`, *optional*, defaults to `True`):
            Whether `bos_token` and `eos_token` stand around every sequence. In files of transformers' own tokenizer,
            which puts them nowhere, they do not.

    Example:

    ```python
    >>> from hf_vits.tokenization_vits import VitsTokenizer

    >>> tokenizer = VitsTokenizer.from_pretrained("facebook/mms-tts-eng")
    >>> encoding = tokenizer("Kite", return_offsets_mapping=True)
    ```
    """

    vocab_files_names = {"vocab_file": "vocab.json"}
    model_input_names = ["input_ids", "attention_mask"]

    def __init__(
        self,
        vocab_file: str,
        pad_token: str = "<pad>",
        unk_token: str = "<unk>",
        language: str | None = None,
        add_blank: bool = True,
        normalize: bool = True,
        phonemize: bool = True,
        is_uroman: bool = False,
        bos_token: str | None = None,
        eos_token: str | None = None,
        blank_token: str | None = None,
        phoneme_language: str | None = None,
        phoneme_style: str = "vits",
        unicode_form: str | None = None,
        cleaner: str | None = None,
        upstream_compatible: bool = False,
        add_bos_eos: bool = True,
        **kwargs,
    ):
        """Reads the vocabulary; raises ValueError for options that do not exist or symbols that are not in it."""
        named = kwargs.pop("model_specific_special_tokens", None) or {}  # where `from_pretrained` puts it
        self.blank_token = blank_token = named.pop("blank_token", blank_token)
        self.language, self.add_blank, self.normalize = language, add_blank, normalize
        self.phonemize, self.is_uroman, self.phoneme_language = phonemize, is_uroman, phoneme_language
        self.phoneme_style, self.unicode_form, self.cleaner = phoneme_style, unicode_form, cleaner
        self.upstream_compatible, self.add_bos_eos = upstream_compatible, add_bos_eos
        check_types({name: getattr(self, name) for name in FLAGS})
        self._front_end(normalize)  # refuses wrong values here and not at the first sentence
        frame = {"bos_token": bos_token, "eos_token": eos_token}
        self._has_frame = add_bos_eos and not upstream_compatible and any(frame.values())
        self._read_vocabulary(vocab_file, frame)
        if not upstream_compatible:
            added = kwargs.pop("added_tokens_decoder", {})
            kwargs["added_tokens_decoder"] = vocabulary.clear_of_symbols(self.encoder, added, unk_token, pad_token)
        declared = {**frame, "model_specific_special_tokens": named}
        kwargs |= {name: getattr(self, name) for name in UPSTREAMS}
        kwargs |= {name: token for name, token in declared.items() if token}
        super().__init__(pad_token=pad_token, unk_token=unk_token, special_tokens_pattern="none", **kwargs)
        for name in (*frame, *vocabulary.EXTENSIONS):  # the whole signature, as transformers promises
            self.init_kwargs.setdefault(name, getattr(self, name))

    def _read_vocabulary(self, path: str, frame: dict) -> None:
        self.encoder = vocabulary.read(path)
        self.decoder = {index: symbol for symbol, index in self.encoder.items()}
        self._known = frozenset(symbol for symbol in self.encoder if len(symbol) == 1)
        vocabulary.check_symbols(self.encoder, **(frame if self._has_frame else {}), blank_token=self.blank_token)
        if self.add_blank and self.blank_token is None and 0 not in self.decoder and not self.upstream_compatible:
            raise ValueError(f"{path} gives no symbol the id 0, which is the blank's. Name it with `blank_token`.")

    def save_pretrained(self, save_directory, *args, **kwargs):
        """As in transformers, each file whole or not at all; raises an `OSError` that names folder and cause if not."""
        if args or kwargs.get("push_to_hub"):  # the Hub's client takes the folder itself
            return super().save_pretrained(save_directory, *args, **kwargs)
        with new_files(Path(save_directory)) as staged:
            written = super().save_pretrained(str(staged), **kwargs)
        return tuple(os.path.join(save_directory, os.path.relpath(file, staged)) for file in written)

    @property
    def vocab_size(self) -> int:
        """Number of symbols in the vocabulary file; a model may have more rows, as the original VITS voices do."""
        return len(self.encoder)

    def get_vocab(self) -> dict[str, int]:
        """The id of every symbol, added tokens included."""
        if self.upstream_compatible:  # upstream counts, over gaps too, and takes an added token before a symbol
            counted = range(self.vocab_size)
            return {self.convert_ids_to_tokens(index): index for index in counted} | self.added_tokens_encoder
        return {**self.encoder, **self.added_tokens_encoder}

    def add_tokens(self, new_tokens, special_tokens: bool = False) -> int:
        """Names special tokens. Raises ValueError for others: a voice has no sound for a symbol not trained on."""
        if not self.upstream_compatible:
            check_added(self.encoder, new_tokens, special_tokens)
        return super().add_tokens(new_tokens, special_tokens)

    @property
    def blank_id(self) -> int:
        """Id of the blank between the symbols."""
        return 0 if self.blank_token is None else self.encoder[self.blank_token]

    @property
    def pad_token_id(self) -> int | None:
        """Id that fills up a batch; the blank's if the vocabulary does not hold the pad token; None without one."""
        if self.pad_token is None:
            return None
        if self.upstream_compatible:
            return self.convert_tokens_to_ids(self.pad_token)
        return self.encoder.get(self.pad_token, self.blank_id)

    def dropped_characters(self, text: str) -> Counter:
        """
        Counts what the voice cannot speak.

        Args:
            text (`str`):
                A text, at most 100,000 characters.

        Returns:
            `Counter`: How often each character (phoneme, for a voice with phonemes) is left out.
        """
        return self._symbols(text, track=False, normalize=self.normalize)[1]

    def letters_of_other_scripts(self, text: str) -> Counter:
        """
        Counts the letters of scripts that the voice's language is not written in, such as Chinese ones for English.

        Their names are spoken, or what another language makes of them, or they are left out. Single Greek letters,
        Latin words within a text of another script, and what stands in `[[ ]]` are not counted.

        Args:
            text (`str`):
                A text, of any length.

        Returns:
            `Counter`: How often each of these letters stands in the text; empty if the voice's language is unknown.
        """
        readable = self.supported_scripts
        return Counter() if readable is None else readable.count_others(text)

    @property
    def text_language(self) -> str | None:
        """What the texts are written in, as an espeak voice, such as "de"; `None` if a voice of letters has no name."""
        return self._front_end(self.normalize).voice if self.phonemize or self.language else None

    @property
    def supported_scripts(self) -> scripts.Readable | None:
        """The scripts that the voice reads; `None` if its language is unknown."""
        return scripts.readable(self._front_end(self.normalize), self._known)

    def tokenize(self, text: str, add_special_tokens: bool = True, **kwargs) -> list[str]:
        """The symbols of a text as strings, one per id, with the blanks and, if wanted, the frame."""
        if self.upstream_compatible:
            return super().tokenize(text, **kwargs)
        refuse_unknown("VitsTokenizer.tokenize", kwargs, ("add_special_tokens", "normalize", "pair"))
        ids, _, _ = self._ids(text, False, kwargs.get("normalize"), add_special_tokens)
        return [self.decoder[index] for index in ids]

    def _front_end(self, normalize: bool) -> FrontEnd:
        options = {field.name: getattr(self, field.name) for field in fields(FrontEnd)}
        return FrontEnd(**{**options, "normalize": normalize})

    def _symbols(self, text: str, track: bool, normalize: bool) -> tuple[TextWithOffsets, Counter]:
        """The symbols of a text that the voice knows, and a count of the others."""
        check_text(text)
        symbols = self._front_end(normalize).tokens(TextWithOffsets.original(text, track))
        if not self.phonemize:
            symbols = vocabulary.match_unicode_form(symbols, self._known)
        symbols, dropped = symbols.keep(self._known)
        return (symbols.strip() if normalize and not self.phonemize else symbols), dropped

    def _ids(
        self, text: str, track: bool, normalize: bool | None, frame: bool
    ) -> tuple[list[int], list[Span] | None, Counter]:
        """Ids of a text, their spans in it, and what was dropped."""
        symbols, dropped = self._symbols(text, track, self.normalize if normalize is None else normalize)
        if not symbols.text:
            raise nothing_left(text, dropped, self._known)
        bos, eos = self._frame() if frame else (None, None)
        ids = [self.encoder[symbol] for symbol in symbols.text]
        ids = in_frame(ids, self.blank_id if self.add_blank else None, bos, eos)
        spans = framed_spans(symbols.spans, self.add_blank, bos is not None, eos is not None) if track else None
        return ids, spans, dropped

    def _frame(self) -> tuple[int | None, int | None]:
        """Ids of what stands before and after a sequence."""
        if not self._has_frame:
            return None, None
        vocabulary.check_symbols(self.encoder, bos_token=self.bos_token, eos_token=self.eos_token)  # may have changed
        return tuple(None if token is None else self.encoder[token] for token in (self.bos_token, self.eos_token))

    def _encode_plus(self, text, text_pair=None, return_offsets_mapping=False, **kwargs) -> BatchEncoding:
        self._warn_of_other_scripts(text)
        if self.upstream_compatible:
            if return_offsets_mapping:
                raise ValueError("Offsets are not known with `upstream_compatible=True`; leave that option off.")
            return super()._encode_plus(text, text_pair, **kwargs)
        given = [name for name in kwargs if name not in ("padding_strategy", "truncation_strategy")]
        refuse_unknown("The tokenizer", given, CALL_ARGUMENTS)
        batched = is_batch(text, text_pair, kwargs.get("is_split_into_words", False))
        dropped, encodings = Counter(), []
        frame = kwargs.get("add_special_tokens", True)
        for i, item in enumerate(text if batched else [text]):
            with of_item(i if batched else None):
                ids, spans, missing = self._ids(item, return_offsets_mapping, kwargs.get("normalize"), frame)
            dropped += missing
            encodings.append(self._truncated(ids, spans, **kwargs))
        if dropped:
            logger.warning(f"The voice does not know everything in the text: {describe_dropped(dropped)}.")
        return self._padded(encodings, batched, **kwargs)

    def _warn_of_other_scripts(self, text) -> None:
        """Warns once for a text or a batch; of letters without phonemes the count of what is dropped says it."""
        if scripts.warnings_disabled() or not (self.phonemize or self.is_uroman):
            return
        others = Counter()
        for item in [text] if isinstance(text, str) else text if isinstance(text, list | tuple) else []:
            others += self.letters_of_other_scripts(item) if isinstance(item, str) else Counter()
        if others:
            logger.warning(self.supported_scripts.describe(others))

    def prepare_for_tokenization(self, text: str, is_split_into_words: bool = False, normalize=None, **kwargs):
        """Upstream's preparation of a text. Raises ValueError without `upstream_compatible=True`."""
        if not self.upstream_compatible:
            raise ValueError(
                "`prepare_for_tokenization` exists with `upstream_compatible=True` only; call the tokenizer itself, "
                "or `tokenize(text)` for the symbols."
            )
        front_end = self._front_end(self.normalize if normalize is None else normalize)
        return UpstreamFrontEnd(front_end, self.get_vocab(), self.encoder).tokens(text), kwargs

    def _tokenize(self, text: str, **kwargs) -> list[str]:
        tokens = list(text)
        if self.add_blank:  # where no symbol has the id 0, upstream's blank is None, which is the id of `<unk>`
            tokens = [self.decoder.get(0)] * (2 * len(tokens) + 1)
            tokens[1::2] = text
        return tokens

    def _convert_token_to_id(self, token: str) -> int | None:
        return self.encoder.get(token, self._added_tokens_encoder.get(self.unk_token))

    def _convert_id_to_token(self, index: int) -> str | None:
        return self.decoder.get(index)

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text that symbols with blanks and frame, as `tokenize` gives them, stand for."""
        if self.upstream_compatible:
            return "".join(tokens[1::2] if self.add_blank and len(tokens) > 1 else tokens)
        return self._decode(self.convert_tokens_to_ids(tokens))

    def decode(self, token_ids, skip_special_tokens: bool = False, attention_mask=None, **kwargs):
        """
        The symbols of ids as a string, without blanks, frame and padding.

        Args:
            token_ids (`int`, `list[int]`, `list[list[int]]` or a tensor of them):
                A sequence or a batch.
            skip_special_tokens (`bool`, *optional*, defaults to `False`):
                Has no effect; blanks, frame and padding are never shown.
            attention_mask (`list[int]`, `list[list[int]]` or a tensor of them, *optional*):
                Says exactly what is padding. Without it, if the pad token is a letter, one or two of it at the end are
                taken for text and more for padding.

        Returns:
            `str` or `list[str]`: The text, or one text per sequence.
        """
        if not self.upstream_compatible:
            refuse_unknown("VitsTokenizer.decode", kwargs, DECODE_ARGUMENTS)
        token_ids = to_py_obj(token_ids)
        if attention_mask is not None:
            token_ids = masked(token_ids, to_py_obj(attention_mask))
        return super().decode(token_ids, skip_special_tokens, unpadded=attention_mask is not None, **kwargs)

    def _decode(self, token_ids, skip_special_tokens=False, unpadded=False, **kwargs) -> str:
        ids = [token_ids] if isinstance(token_ids, int) else list(token_ids)
        if self.upstream_compatible:
            return self.convert_tokens_to_string(self.convert_ids_to_tokens(ids, skip_special_tokens))
        pad = None if unpadded else self.pad_token_id
        blank = self.blank_id if self.add_blank else None
        symbols = unframed(ids, blank, *self._frame(), pad, (self.pad_token or "").isalpha())
        return "".join(self.decoder.get(index, "") for index in symbols)


class HfVitsTokenizer(VitsTokenizer):
    """A `VitsTokenizer` whose layout transformers' own class cannot express; saved under this name."""
