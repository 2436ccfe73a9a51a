"""VITS tokenizer: the ids of a model's original front end, in upstream's files, with offsets into the text."""

import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from transformers import BatchEncoding, PreTrainedTokenizer, PreTrainedTokenizerBase
from transformers.utils import to_py_obj

from hf_vits.text import coqui_cleaners, vocabulary, writing_systems
from hf_vits.text.errors import check_added_tokens, dropped_message, is_batch, of_item
from hf_vits.text.frontend import FLAGS, check_types, pad_spans, remove_special_ids, select_by_mask
from hf_vits.text.ids import TextToIds
from hf_vits.text.lexicon import Lexicon, read_beside, write_beside
from hf_vits.text.offsets import Span
from hf_vits.text.upstream import UpstreamMethods
from hf_vits.utils.atomic_folder import new_files
from hf_vits.utils.default_name import refuse_default_name
from hf_vits.utils.files import named_in_errors, require_if_there
from hf_vits.utils.formatting import refuse_unknown

logger = logging.getLogger(__name__)

# Arguments of a call: those of transformers, and those of its `prepare_for_tokenization`.
CALL_ARGUMENTS = (
    *[name for name in signature(PreTrainedTokenizerBase.__call__).parameters if name not in ("self", "kwargs")],
    "normalize",
    "split_special_tokens",
    "expand",
    "lexicon",
)
# Arguments of `decode`: the first three, and those of transformers, which have no effect here.
DECODE_ARGUMENTS = (
    *("token_ids", "skip_special_tokens", "attention_mask", "clean_up_tokenization_spaces"),
    *("use_source_tokenizer", "spaces_between_special_tokens"),
)
UPSTREAM_OPTIONS = ("language", "add_blank", "normalize", "phonemize", "is_uroman")
PADDING_OPTIONS = frozenset(["max_length", "pad_to_multiple_of", "padding_side", "return_attention_mask"])


class VitsTokenizer(TextToIds, UpstreamMethods, PreTrainedTokenizer):
    """
    Convert text to the ids that a VITS model was trained on, with a blank around and between all tokens.

    Files are those of `transformers.VitsTokenizer`, and each class loads the other's. Ids are those of the front end
    that the model was trained with (original VITS, MMS, Coqui, Piper); `upstream_compatible=True` gives the ids of
    transformers. A sequence is `[bos] blank t1 blank t2 ... tn blank [eos]`. Special tokens that are added later change
    no id.

    Args:
        vocab_file (`str`):
            Path of a JSON file with the id of each token.
        pad_token (`str`, *optional*, defaults to `"<pad>"`):
            Pads the shorter sequences of a batch. May be a letter of the vocabulary. If it is not in the vocabulary,
            the blank's id is used, so that every id has a row in the model.
        unk_token (`str`, *optional*, defaults to `"<unk>"`):
            Kept for upstream's files. Characters that are not in the vocabulary are dropped with a warning instead.
        language (`str`, *optional*):
            ISO 639-3 code of the model's language.
        add_blank (`bool`, *optional*, defaults to `True`):
            Insert the blank around and between all tokens.
        normalize (`bool`, *optional*, defaults to `True`):
            Convert the text to lower case and, without phonemes, strip white space at its ends.
        phonemize (`bool`, *optional*, defaults to `True`):
            Convert the text to phonemes with espeak-ng. Text in `[[ ]]` is taken as phonemes.
        is_uroman (`bool`, *optional*, defaults to `False`):
            Romanize the text with uroman.
        bos_token (`str`, *optional*):
            Token put before the sequence, `"^"` in Piper.
        eos_token (`str`, *optional*):
            Token put after the sequence, `"$"` in Piper.
        blank_token (`str`, *optional*):
            Token of the blank, `"<BLNK>"` in Coqui and `"_"` in Piper; id 0 if not given.
        phoneme_language (`str`, *optional*):
            espeak-ng voice such as `"en-us"`. If not given, that of `language`; American English without a `language`.
        phoneme_style (`str`, *optional*, defaults to `"vits"`):
            `"vits"` keeps every punctuation mark, `"piper"` only the mark that ends a clause.
        unicode_form (`str`, *optional*):
            Unicode normalization form of the tokens, `"NFD"` in Piper.
        cleaner (`str`, *optional*):
            `"english"` prepares the text as the original VITS does (ASCII, expanded abbreviations), `"none"` does not.
            If not given, `"english"` for normalized English with phonemes in the style `"vits"`. One of Coqui's
            cleaners, such as `"phoneme_cleaners"`, replaces all other steps before phonemes or letters.
        upstream_compatible (`bool`, *optional*, defaults to `False`):
            Return exactly the ids of `transformers.VitsTokenizer` where they differ.
        add_bos_eos (`bool`, *optional*, defaults to `True`):
            Add `bos_token` and `eos_token` to every sequence. Files of transformers' own tokenizer, which never adds
            them, are loaded with `False`.

    Raises:
        ValueError: if an option has a wrong type or value, or a special token is not in the vocabulary.

    Example:

    ```python
    >>> from hf_vits import VitsTokenizer

    >>> tokenizer = VitsTokenizer.from_vocab({"_": 0, "a": 1, "b": 2}, phonemize=False)
    >>> encoding = tokenizer("Ab", return_offsets_mapping=True)
    >>> encoding["input_ids"]
    [0, 1, 0, 2, 0]
    >>> encoding["offset_mapping"]
    [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]
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
        """Read the vocabulary and check the options."""
        named = kwargs.pop("model_specific_special_tokens", None) or {}  # where `from_pretrained` puts it
        self.blank_token = blank_token = named.pop("blank_token", blank_token)
        self.language, self.add_blank, self.normalize = language, add_blank, normalize
        self.phonemize, self.is_uroman, self.phoneme_language = phonemize, is_uroman, phoneme_language
        self.phoneme_style, self.unicode_form, self.cleaner = phoneme_style, unicode_form, cleaner
        self.upstream_compatible, self.add_bos_eos, self.lexicon = upstream_compatible, add_bos_eos, Lexicon()
        check_types({name: getattr(self, name) for name in FLAGS})
        self._front_end(normalize)  # raises for wrong values here instead of at the first text
        ends = {"bos_token": bos_token, "eos_token": eos_token}
        self._adds_ends = add_bos_eos and not upstream_compatible and any(ends.values())
        self._read_vocabulary(vocab_file, ends)
        kwargs |= {"pad_token": pad_token, "unk_token": unk_token}
        super().__init__(**self._upstream_arguments(kwargs, {**ends, "model_specific_special_tokens": named}))
        for name in (*ends, *vocabulary.EXTENSIONS):  # transformers promises the whole signature
            self.init_kwargs.setdefault(name, getattr(self, name))

    def _upstream_arguments(self, kwargs: dict, declared: dict) -> dict:
        """Return the arguments of transformers' class; of the special tokens in `declared`, those that there are."""
        if not self.upstream_compatible:
            added, tokens = kwargs.get("added_tokens_decoder", {}), (kwargs["unk_token"], kwargs["pad_token"])
            kwargs["added_tokens_decoder"] = vocabulary.assign_added_ids(self.encoder, added, *tokens)
        options = {name: getattr(self, name) for name in UPSTREAM_OPTIONS}
        special = {name: token for name, token in declared.items() if token}
        return {**kwargs, **options, **special, "special_tokens_pattern": "none"}

    def _read_vocabulary(self, path: str, ends: dict) -> None:
        self.encoder = vocabulary.read(path)
        self.decoder = {index: token for token, index in self.encoder.items()}
        self._known = frozenset(token for token in self.encoder if len(token) == 1)
        special = {**(ends if self._adds_ends else {}), "blank_token": self.blank_token}
        vocabulary.check_special_tokens(self.encoder, **special)
        if self.add_blank and self.blank_token is None and 0 not in self.decoder and not self.upstream_compatible:
            raise ValueError(f"{path} gives no token the id 0, which is the blank's. Name it with `blank_token`.")

    @classmethod
    def from_vocab(cls, vocab: Mapping[str, int], **options: Any):
        """
        Create a tokenizer from a vocabulary in memory.

        Args:
            vocab (`Mapping[str, int]`):
                The id of each token.
            options:
                Those of the class.

        Raises:
            ValueError: as for the class.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "vocab.json"
            file.write_text(json.dumps(dict(vocab), ensure_ascii=False), encoding="utf-8")
            return cls(str(file), **options)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        """
        Load a tokenizer as in transformers.

        Raises:
            OSError: if files are missing.
            ValueError: if a file is damaged or has an option of the wrong type; names the file. For the names of the
                default voice; says how to load it.
        """
        refuse_default_name(pretrained_model_name_or_path, cls.__name__)
        folder = Path(pretrained_model_name_or_path) / (kwargs.get("subfolder") or "")
        for name in vocabulary.FILES:
            require_if_there(folder / name)
        files = {kind: folder / name for name, kind in vocabulary.FILES.items() if (folder / name).is_file()}
        vocabulary.check_files(files)
        with named_in_errors(
            f"The tokenizer {str(pretrained_model_name_or_path)!r}, or one of its JSON files,",
            pretrained_model_name_or_path,
        ):
            tokenizer = super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        tokenizer.lexicon = read_beside(pretrained_model_name_or_path, **kwargs)
        return tokenizer

    @classmethod
    def _from_pretrained(cls, files: dict, name: str, configuration: dict, *inputs, **kwargs):
        vocabulary.check_files(files)
        if not vocabulary.is_extended(files, name) and not kwargs.keys() & {"bos_token", "eos_token"}:
            kwargs.setdefault("add_bos_eos", False)
        return super()._from_pretrained(files, name, configuration, *inputs, **kwargs)

    def save_pretrained(self, save_directory, *args, **kwargs):
        """
        Save the files as in transformers, each one completely or not at all.

        Raises:
            OSError: if they cannot be written; names the folder and the cause.
            ValueError: if `bos_token` or `eos_token` was changed to a token that is not in the vocabulary.
        """
        if args or kwargs.get("push_to_hub"):  # the Hub's client takes the folder itself
            return super().save_pretrained(save_directory, *args, **kwargs)
        with new_files(Path(save_directory)) as staged:
            written = super().save_pretrained(str(staged), **kwargs)
        return tuple(os.path.join(save_directory, os.path.relpath(file, staged)) for file in written)

    def _save_pretrained(self, save_directory, file_names, **kwargs) -> tuple[str, ...]:
        class_name = "VitsTokenizer" if self.is_upstream_equivalent else vocabulary.EXTENDED_CLASS
        self._bos_eos_ids()  # raises for tokens that could not be loaded again
        options = {name: getattr(self, name) for name in vocabulary.EXTENSIONS}
        options["add_bos_eos"] = self._adds_ends or not (self.bos_token or self.eos_token)
        options["add_bos_eos"] |= self.add_bos_eos and self.upstream_compatible
        pad = self.pad_token
        if pad is not None and class_name == "VitsTokenizer" and self.pad_token_id != self.encoder.get(pad):
            pad = self.decoder.get(self.pad_token_id, pad)  # the model has no row for a token without an id
        vocabulary.update_config(file_names[0], class_name, options, {"pad_token": pad})
        return (
            *super()._save_pretrained(save_directory, file_names, **kwargs),
            *write_beside(self.lexicon, save_directory),
        )

    @property
    def is_upstream_equivalent(self) -> bool:
        """True if `transformers.VitsTokenizer`, whose phonemes are always American English, gives the same ids."""
        if self.upstream_compatible:
            return True
        american = self.phoneme_style == "vits" and self._front_end(self.normalize).voice.lower() == "en-us"
        other_steps = self.unicode_form or self.lexicon or self.cleaner in coqui_cleaners.CLEANERS
        return self.blank_id == 0 and not (self._adds_ends or other_steps) and (american or not self.phonemize)

    @property
    def vocab_size(self) -> int:
        """Number of tokens in the vocabulary file; a model may have more rows, as the original VITS ones do."""
        return len(self.encoder)

    def get_vocab(self) -> dict[str, int]:
        """Return the id of every token, added tokens included."""
        if self.upstream_compatible:  # upstream counts, over gaps too, and prefers added tokens
            counted = range(self.vocab_size)
            return {self.convert_ids_to_tokens(index): index for index in counted} | self.added_tokens_encoder
        return {**self.encoder, **self.added_tokens_encoder}

    def add_tokens(self, new_tokens, special_tokens: bool = False) -> int:
        """
        Add special tokens, and return how many are new.

        Raises:
            ValueError: for tokens that are not special: the model was not trained on them.
        """
        if not self.upstream_compatible:
            check_added_tokens(self.encoder, new_tokens, special_tokens)
        return super().add_tokens(new_tokens, special_tokens)

    @property
    def pad_token_id(self) -> int | None:
        """Id of padding: the blank's if the vocabulary has no pad token; None if `pad_token` is None."""
        if self.pad_token is None:
            return None
        if self.upstream_compatible:
            return self.convert_tokens_to_ids(self.pad_token)
        return self.encoder.get(self.pad_token, self.blank_id)

    def tokenize(self, text: str, add_special_tokens: bool = True, **kwargs) -> list[str]:
        """Return the tokens of a text, one string per id, with blanks and, by default, BOS and EOS."""
        if self.upstream_compatible:
            return super().tokenize(text, **kwargs)
        refuse_unknown("VitsTokenizer.tokenize", kwargs, ("normalize", "pair", "expand", "lexicon"))
        rewriting = self._rewriting(kwargs.get("expand"), kwargs.get("lexicon"))
        ids, _, _ = self._ids(text, False, kwargs.get("normalize"), add_special_tokens, rewriting)
        return [self.decoder[index] for index in ids]

    def _encode_plus(
        self, text, text_pair=None, return_offsets_mapping=False, expand=False, lexicon=None, **kwargs
    ) -> BatchEncoding:
        if self.phonemize or self.is_uroman:  # letter models drop such letters, which has a warning of its own
            writing_systems.warn_of_others(text, self)
        if self.upstream_compatible:
            for name, given in {"Offsets": return_offsets_mapping, "expand": expand, "lexicon": lexicon}.items():
                if given:
                    raise ValueError(f"{name} cannot be had with `upstream_compatible=True`; leave that option off.")
            return super()._encode_plus(text, text_pair, **kwargs)
        given = [name for name in kwargs if name not in ("padding_strategy", "truncation_strategy")]
        refuse_unknown("The tokenizer", given, CALL_ARGUMENTS)
        batched = is_batch(text, text_pair, kwargs.get("is_split_into_words", False))
        dropped, encodings = Counter(), []
        rewriting = self._rewriting(expand, lexicon)
        options = kwargs.get("normalize"), kwargs.get("add_special_tokens", True), rewriting
        for i, item in enumerate(text if batched else [text]):
            with of_item(i if batched else None):
                ids, spans, missing = self._ids(item, return_offsets_mapping, *options)
            dropped += missing
            encodings.append(self._truncate(ids, spans, **kwargs))
        if dropped:
            logger.warning(dropped_message(dropped))
        padding = {name: kwargs[name] for name in PADDING_OPTIONS & kwargs.keys()}
        padding["padding"] = kwargs.get("padding_strategy", False)
        padded = self.pad(encodings if batched else encodings[0], **padding)
        return BatchEncoding(dict(padded), tensor_type=kwargs.get("return_tensors"), prepend_batch_axis=not batched)

    def _truncate(self, ids: list[int], spans: list[Span] | None, **kwargs) -> dict:
        later = {"padding": False, "return_attention_mask": False, "return_tensors": None, "pad_to_multiple_of": None}
        options = {**kwargs, **later, "truncation": kwargs.get("truncation_strategy", False)}
        encoding = dict(self.prepare_for_model(ids, **options))
        if spans is not None:
            kept = len(encoding["input_ids"])
            encoding["offset_mapping"] = spans[:kept] if self.truncation_side == "right" else spans[-kept:]
        overflow = ("overflowing_tokens", "num_truncated_tokens") if kwargs.get("return_tensors") else ()  # ragged
        return {name: value for name, value in encoding.items() if name not in overflow}

    def _pad(self, encoded_inputs, **kwargs) -> dict:
        padded = super()._pad(encoded_inputs, **kwargs)
        if spans := padded.get("offset_mapping"):
            side = kwargs.get("padding_side") or self.padding_side
            padded["offset_mapping"] = pad_spans(spans, len(padded["input_ids"]), side)
        return padded

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Return the text of tokens with blanks, BOS and EOS, as `tokenize` returns them."""
        if self.upstream_compatible:
            return "".join(tokens[1::2] if self.add_blank and len(tokens) > 1 else tokens)
        return self._decode(self.convert_tokens_to_ids(tokens))

    def decode(self, token_ids, skip_special_tokens: bool = False, attention_mask=None, **kwargs):
        """
        Convert ids to a string without blanks, BOS, EOS and padding.

        Args:
            token_ids (`int`, `list[int]`, `list[list[int]]` or a tensor of shape (T_text,) or (B, T_text)):
                A sequence or a batch.
            skip_special_tokens (`bool`, *optional*, defaults to `False`):
                Has no effect; special tokens are always skipped.
            attention_mask (`list[int]`, `list[list[int]]` or a tensor of the same shape, *optional*):
                0 for padding. If not given and the pad token is a letter, one or two of it at the end are decoded,
                more are padding.

        Returns:
            `str` or `list[str]`: The text, or one text per sequence.
        """
        if not self.upstream_compatible:
            refuse_unknown("VitsTokenizer.decode", kwargs, DECODE_ARGUMENTS)
        token_ids = to_py_obj(token_ids)
        if attention_mask is not None:
            token_ids = select_by_mask(token_ids, to_py_obj(attention_mask))
        return super().decode(token_ids, skip_special_tokens, unpadded=attention_mask is not None, **kwargs)

    def _decode(self, token_ids, skip_special_tokens=False, unpadded=False, **kwargs) -> str:
        ids = [token_ids] if isinstance(token_ids, int) else list(token_ids)
        if self.upstream_compatible:
            return self.convert_tokens_to_string(self.convert_ids_to_tokens(ids, skip_special_tokens))
        pad = None if unpadded else self.pad_token_id
        blank = self.blank_id if self.add_blank else None
        ids = remove_special_ids(ids, blank, *self._bos_eos_ids(), pad, (self.pad_token or "").isalpha())
        return "".join(self.decoder.get(index, "") for index in ids)


class HfVitsTokenizer(VitsTokenizer):
    """A `VitsTokenizer` with options that transformers' class does not have; saved under this name."""
