"""The files of a tokenizer: the vocabulary, special tokens against its symbols, and the declared options."""

import json
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transformers import AddedToken, BatchEncoding

from hf_vits.text import coqui_cleaners
from hf_vits.text.offsets import Span, TextWithOffsets, clusters
from hf_vits.utils.files import named_in_errors, read_json, read_table, require_if_there
from hf_vits.utils.formatting import quoted

EXTENDED_CLASS = "HfVitsTokenizer"
# Fields beyond upstream's, written to tokenizer_config.json where they differ from these defaults.
EXTENSIONS = {
    "blank_token": None,
    "phoneme_language": None,
    "phoneme_style": "vits",
    "unicode_form": None,
    "cleaner": None,
    "upstream_compatible": False,
    "add_bos_eos": True,
}


MOST_IDS = 2**31
"""Ids are below it."""

SEVERAL = ("extra_special_tokens", "additional_special_tokens", "model_specific_special_tokens")
"""Options that hold several tokens."""

TOKEN_FLAGS = ("lstrip", "rstrip", "normalized", "single_word", "special")
TOKEN = f"a string, or an object of `content` and of {', '.join(TOKEN_FLAGS)}, which are true or false"

OPTIONS: dict[str, tuple[Any, str]] = {
    "added_tokens_decoder": (dict, "an object of tokens by id"),
    "model_max_length": (int | float, "a number"),
    "tokenizer_class": (str, "the name of a class"),
    "chat_template": (str | list | dict, "a template"),
    "name_or_path": (str, "a name"),
    "phoneme_style": (str, "a name"),
    "unicode_form": (str, "a name"),
    "cleaner": (str, "a name"),
}
"""Types of options in tokenizer_config.json, besides tokens and what the class itself checks."""


def read(path: str) -> dict[str, int]:
    """Reads `vocab.json`; raises ValueError if it is not an object of symbols and ids, with one symbol at least."""
    vocabulary = read_json(path)
    wrong = f"a {type(vocabulary).__name__}"
    if isinstance(vocabulary, dict):
        pairs = [(symbol, index) for symbol, index in vocabulary.items() if not _is_id(index)]
        wrong = f"{quoted(pairs[0][0])}: {quoted(pairs[0][1])}" if pairs else "" if vocabulary else "no symbol"
    if wrong:
        raise ValueError(
            f"{path} must hold one JSON object that gives each symbol an id of 0 or more, such as {{'a': 1}}; "
            f"found {wrong}. Write it again."
        )
    return vocabulary


def is_extended(files: dict[str, str | None], name: str) -> bool:
    """Whether the files of a tokenizer declare this package's layout, in which bos and eos stand around a sequence.

    Raises:
        OSError: There is no vocabulary.
        ValueError: The configuration is not a JSON object.
    """
    if files.get("vocab_file") is None:
        raise OSError(f"{name} has no vocab.json, which a VITS tokenizer needs. Give a folder or repository with one.")
    if (path := files.get("tokenizer_config_file")) is None:
        return False
    config = read_table(path)
    return config.get("tokenizer_class") == EXTENDED_CLASS or bool(EXTENSIONS.keys() & config.keys())


def check_files(files: Mapping[str, str | None]) -> None:
    """
    Checks the JSON files of a tokenizer by name, of which `None` is not there.

    Raises:
        OSError: if one is no regular file.
        ValueError: if one is no JSON object, or an option of it is of another type; names the file and the option.
    """
    for name, path in files.items():
        if path is None or name == "vocab_file" or not str(path).endswith(".json"):
            continue  # the vocabulary is checked when it is read, and a template is any text
        table = read_table(path)
        if name == "tokenizer_config_file":
            _check_options(path, table)
        elif name == "special_tokens_map_file":
            _check_tokens(path, table, table)
        elif name == "added_tokens_file":
            for token, index in table.items():
                _require(path, token, index, _is_id(index), "an id, a whole number")


def _check_options(path: str, table: Mapping[str, Any]) -> None:
    _check_tokens(path, table, [name for name in table if name.endswith("_token")])
    for name, (allowed, words) in OPTIONS.items():
        value = table.get(name)
        _require(path, name, value, value is None or isinstance(value, allowed), words)
    _require(path, "init_inputs", inputs := table.get("init_inputs"), not inputs, "an empty list")
    for name in ("padding_side", "truncation_side"):
        side = table.get(name)
        _require(path, name, side, side in (None, "left", "right"), '"left" or "right"')
    added = table.get("added_tokens_decoder") or {}
    for index, token in added.items():
        name = f"added_tokens_decoder.{index[:20]}"
        is_id = index.isascii() and index.isdecimal() and len(index) < 10
        _require(path, name, index, is_id, "under an id, a whole number")
        _require(path, name, token, isinstance(token, dict) and _is_token(token), TOKEN)


def _check_tokens(path: str, table: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        value = table[name]
        if name in SEVERAL:
            continue
        _require(path, name, value, value is None or _is_token(value), TOKEN)
    for name in SEVERAL:
        value = table.get(name) or []
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [None]
        _require(path, name, value, all(map(_is_token, items)), "a list of tokens, or an object of them by name")


def _is_id(index: Any) -> bool:
    return type(index) is int and 0 <= index < MOST_IDS


def _is_token(value: Any) -> bool:
    """Whether it is a string, or an object as transformers writes a token: its content and flags."""
    if not isinstance(value, dict):
        return isinstance(value, str)
    flags = [value[name] for name in TOKEN_FLAGS if name in value]
    return isinstance(value.get("content"), str) and all(isinstance(flag, bool) for flag in flags)


def _require(path: str, name: str, value: Any, holds: bool, allowed: str) -> None:
    if not holds:
        raise ValueError(f"`{name}` in {path} is {quoted(value)}; it must be {allowed}. Correct it, or fetch it again.")


_OF_THE_LOADING = ("is_local", "local_files_only")  # transformers saves how the files were found


def update_config(path: str, class_name: str, options: dict[str, Any], tokens: dict[str, str | None]) -> None:
    """Writes into `tokenizer_config.json` the class, those options that are not at their defaults, and tokens.

    A beginning and an end that there are not are left out.
    """
    with open(path, encoding="utf-8") as file:
        config = {k: v for k, v in json.load(file).items() if k not in EXTENSIONS and k not in _OF_THE_LOADING}
    config = {k: v for k, v in config.items() if v is not None or k not in ("bos_token", "eos_token")} | tokens
    config |= {name: value for name, value in options.items() if value != EXTENSIONS[name]}
    config["tokenizer_class"] = class_name
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def match_unicode_form(text: TextWithOffsets, symbols: frozenset[str]) -> TextWithOffsets:
    """
    Spell letters with marks as the vocabulary has them: composed (NFC) if it has that letter, else taken apart (NFD).

    A letter of which neither form is known stays as it is.
    """
    if unicodedata.is_normalized("NFC", text.text) and symbols.issuperset(text.text):
        return text
    pieces = []
    for start, end in clusters(text.text):
        piece = text.slice(start, end)
        composed, apart = (unicodedata.normalize(form, piece.text) for form in ("NFC", "NFD"))
        forms = (composed, piece.text, apart) if end - start > 1 else (piece.text, composed, apart)
        new = next((form for form in forms if symbols.issuperset(form)), piece.text)
        if new != piece.text:
            piece = TextWithOffsets(new, None if text.spans is None else [text.span(start, end)] * len(new))
        pieces.append(piece)
    return TextWithOffsets.join(pieces, text.spans is not None)


def check_symbols(vocabulary: dict[str, int], **tokens: str | AddedToken | None) -> None:
    """Raises ValueError if a declared token is not a symbol of the vocabulary."""
    for name, token in tokens.items():
        if token is not None and str(token) not in vocabulary:
            raise ValueError(
                f"`{name}` is {str(token)!r}, which is not one of the {len(vocabulary)} symbols of the vocabulary. "
                "Name one of its symbols, or leave it out."
            )


def clear_of_symbols(
    vocabulary: dict[str, int], added: dict[int, AddedToken], *needed: str | AddedToken
) -> dict[int, AddedToken]:
    """Ids for the added tokens that no symbol has.

    Upstream counts the entries to find an id for `<unk>`; in a vocabulary with a gap, as the original VITS one, that is
    the id of its last symbol.
    """
    wanted = {str(token): (index, token) for index, token in added.items()}
    for token in needed:
        special = token if isinstance(token, AddedToken) else AddedToken(token, normalized=False, special=True)
        wanted.setdefault(str(token), (-1, special))
    taken, placed = set(vocabulary.values()), {}
    for content, (index, token) in wanted.items():
        if content in vocabulary:
            index = vocabulary[content]
        elif index < 0 or index in taken or index in placed:
            index = max([*taken, *placed], default=-1) + 1
        placed[index] = token
    return placed


PADDING_OPTIONS = frozenset(["max_length", "pad_to_multiple_of", "padding_side", "return_attention_mask"])


FILES = {
    "vocab.json": "vocab_file",
    "tokenizer_config.json": "tokenizer_config_file",
    "special_tokens_map.json": "special_tokens_map_file",
    "added_tokens.json": "added_tokens_file",
    "tokenizer.json": "tokenizer_file",
    "chat_template.jinja": "chat_template_file",
}
"""Files that transformers opens if they are there, and what it calls them."""


class Files:
    """Reads and writes the files of transformers' tokenizer, and declares in them what that one does not know."""

    @classmethod
    def from_vocab(cls, symbols: Mapping[str, int], **options: Any):
        """A tokenizer with this vocabulary, symbol by id; `options` are those of the class."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "vocab.json"
            file.write_text(json.dumps(dict(symbols), ensure_ascii=False), encoding="utf-8")
            return cls(str(file), **options)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        """As in transformers. Raises OSError for missing files, ValueError, with the file's name, for broken ones."""
        folder = Path(pretrained_model_name_or_path) / (kwargs.get("subfolder") or "")
        for name in FILES:
            require_if_there(folder / name)
        check_files({kind: folder / name for name, kind in FILES.items() if (folder / name).is_file()})
        with named_in_errors(
            f"The tokenizer {str(pretrained_model_name_or_path)!r}, or one of its JSON files,",
            pretrained_model_name_or_path,
        ):
            return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)

    @classmethod
    def _from_pretrained(cls, files: dict, name: str, configuration: dict, *inputs, **kwargs):
        check_files(files)
        if not is_extended(files, name) and not kwargs.keys() & {"bos_token", "eos_token"}:
            kwargs.setdefault("add_bos_eos", False)
        return super()._from_pretrained(files, name, configuration, *inputs, **kwargs)

    def _save_pretrained(self, save_directory, file_names, **kwargs) -> tuple[str, ...]:
        class_name = "VitsTokenizer" if self.is_upstream_equivalent else EXTENDED_CLASS
        self._frame()  # refuses to write what could not be read again
        options = {name: getattr(self, name) for name in EXTENSIONS}
        options["add_bos_eos"] = self._has_frame or not (self.bos_token or self.eos_token)
        options["add_bos_eos"] |= self.add_bos_eos and self.upstream_compatible
        pad = self.pad_token
        if pad is not None and class_name == "VitsTokenizer" and self.pad_token_id != self.encoder.get(pad):
            pad = self.decoder.get(self.pad_token_id, pad)  # for a symbol of no id the model has no row
        update_config(file_names[0], class_name, options, {"pad_token": pad})
        return super()._save_pretrained(save_directory, file_names, **kwargs)

    @property
    def is_upstream_equivalent(self) -> bool:
        """Whether transformers' own tokenizer, whose phonemes are always American English, gives the same ids."""
        if self.upstream_compatible:
            return True
        voice = self._front_end(self.normalize).voice.lower()
        spoken = self.phonemize and (self.phoneme_style != "vits" or voice != "en-us")
        spelled = self.cleaner in coqui_cleaners.CLEANERS
        return self.blank_id == 0 and not (self._has_frame or self.unicode_form or spoken or spelled)


class Batches:
    """Cuts and pads ids as transformers does, and their spans with them; a span of padding is empty."""

    def _truncated(self, ids: list[int], spans: list[Span] | None, **kwargs) -> dict:
        later = {"padding": False, "return_attention_mask": False, "return_tensors": None, "pad_to_multiple_of": None}
        options = {**kwargs, **later, "truncation": kwargs.get("truncation_strategy", False)}
        encoding = dict(self.prepare_for_model(ids, **options))
        if spans is not None:
            kept = len(encoding["input_ids"])
            encoding["offset_mapping"] = spans[:kept] if self.truncation_side == "right" else spans[-kept:]
        overflow = ("overflowing_tokens", "num_truncated_tokens") if kwargs.get("return_tensors") else ()  # ragged
        return {name: value for name, value in encoding.items() if name not in overflow}

    def _padded(self, encodings: list[dict], batched: bool, padding_strategy=False, **kwargs) -> BatchEncoding:
        options = {name: kwargs[name] for name in PADDING_OPTIONS & kwargs.keys()}
        padded = self.pad(encodings if batched else encodings[0], padding=padding_strategy, **options)
        return BatchEncoding(dict(padded), tensor_type=kwargs.get("return_tensors"), prepend_batch_axis=not batched)

    def _pad(self, encoded_inputs, **kwargs) -> dict:
        padded = super()._pad(encoded_inputs, **kwargs)
        spans = padded.get("offset_mapping")
        if spans is not None and (missing := len(padded["input_ids"]) - len(spans)):
            side = kwargs.get("padding_side") or self.padding_side
            end, start = (spans[-1][1],) * 2, (spans[0][0],) * 2
            padded["offset_mapping"] = [*spans, *[end] * missing] if side == "right" else [*[start] * missing, *spans]
        return padded
