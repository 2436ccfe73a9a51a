"""Read, check and update the JSON files of a tokenizer, and fit characters and special tokens to its vocabulary."""

import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hf_vits.text.offsets import TextWithOffsets, clusters
from hf_vits.utils.files import read_json, read_table
from hf_vits.utils.formatting import quoted

if TYPE_CHECKING:
    from transformers import AddedToken

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

# Files that transformers opens if they exist, with its names for them.
FILES = {
    "vocab.json": "vocab_file",
    "tokenizer_config.json": "tokenizer_config_file",
    "special_tokens_map.json": "special_tokens_map_file",
    "added_tokens.json": "added_tokens_file",
    "tokenizer.json": "tokenizer_file",
    "chat_template.jinja": "chat_template_file",
}
_ID_LIMIT = 2**31
_TOKEN_LISTS = ("extra_special_tokens", "additional_special_tokens", "model_specific_special_tokens")
_TOKEN_FLAGS = ("lstrip", "rstrip", "normalized", "single_word", "special")
_TOKEN = f"a string, or an object of `content` and of {', '.join(_TOKEN_FLAGS)}, which are true or false"
# Types of options in tokenizer_config.json, besides tokens and what the class itself checks.
_OPTIONS: dict[str, tuple[Any, str]] = {
    "added_tokens_decoder": (dict, "an object of tokens by id"),
    "model_max_length": (int | float, "a number"),
    "tokenizer_class": (str, "the name of a class"),
    "chat_template": (str | list | dict, "a template"),
    "name_or_path": (str, "a name"),
    "phoneme_style": (str, "a name"),
    "unicode_form": (str, "a name"),
    "cleaner": (str, "a name"),
}
_LOADING_OPTIONS = ("is_local", "local_files_only")  # transformers saves them, but they describe one load only


def read(path: str) -> dict[str, int]:
    """Read `vocab.json`; raise ValueError if it is not an object of ids by token with at least one token."""
    vocabulary = read_json(path)
    wrong = f"a {type(vocabulary).__name__}"
    if isinstance(vocabulary, dict):
        pairs = [(token, index) for token, index in vocabulary.items() if not _is_id(index)]
        wrong = f"{quoted(pairs[0][0])}: {quoted(pairs[0][1])}" if pairs else "" if vocabulary else "no token"
    if wrong:
        raise ValueError(
            f"{path} must hold one JSON object that gives each token an id of 0 or more, such as {{'a': 1}}; "
            f"found {wrong}. Write it again."
        )
    return vocabulary


def is_extended(files: dict[str, str | None], name: str) -> bool:
    """Return True if the files have options of this package, with which BOS and EOS are added to a sequence.

    Raises:
        OSError: if there is no vocabulary.
        ValueError: if the configuration is not a JSON object.
    """
    if files.get("vocab_file") is None:
        raise OSError(f"{name} has no vocab.json, which a VITS tokenizer needs. Give a folder or repository with one.")
    if (path := files.get("tokenizer_config_file")) is None:
        return False
    config = read_table(path)
    return config.get("tokenizer_class") == EXTENDED_CLASS or bool(EXTENSIONS.keys() & config.keys())


def check_files(files: Mapping[str, str | None]) -> None:
    """
    Check the types of the options in the JSON files of a tokenizer, given by transformers' names; None is skipped.

    Raises:
        OSError: if a file is not a regular file.
        ValueError: if a file is not a JSON object or an option has the wrong type; names the file and the option.
    """
    for name, path in files.items():
        if path is None or name == "vocab_file" or not str(path).endswith(".json"):
            continue  # `read` checks the vocabulary; a template may be any text
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
    for name, (allowed, words) in _OPTIONS.items():
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
        _require(path, name, token, isinstance(token, dict) and _is_token(token), _TOKEN)


def _check_tokens(path: str, table: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        value = table[name]
        _require(path, name, value, value is None or name in _TOKEN_LISTS or _is_token(value), _TOKEN)
    for name in _TOKEN_LISTS:
        value = table.get(name) or []
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [None]
        _require(path, name, value, all(map(_is_token, items)), "a list of tokens, or an object of them by name")


def _is_id(index: Any) -> bool:
    return type(index) is int and 0 <= index < _ID_LIMIT


def _is_token(value: Any) -> bool:
    """Return True for a string, or an object of content and flags as transformers writes a token."""
    if not isinstance(value, dict):
        return isinstance(value, str)
    flags = [value[name] for name in _TOKEN_FLAGS if name in value]
    return isinstance(value.get("content"), str) and all(isinstance(flag, bool) for flag in flags)


def _require(path: str, name: str, value: Any, holds: bool, allowed: str) -> None:
    if not holds:
        raise ValueError(f"`{name}` in {path} is {quoted(value)}; it must be {allowed}. Correct it, or fetch it again.")


def update_config(path: str, class_name: str, options: dict[str, Any], tokens: dict[str, str | None]) -> None:
    """Write the class, the options that differ from their defaults, and tokens into `tokenizer_config.json`.

    BOS and EOS are left out if they are null.
    """
    with open(path, encoding="utf-8") as file:
        config = {k: v for k, v in json.load(file).items() if k not in EXTENSIONS and k not in _LOADING_OPTIONS}
    config = {k: v for k, v in config.items() if v is not None or k not in ("bos_token", "eos_token")} | tokens
    config |= {name: value for name, value in options.items() if value != EXTENSIONS[name]}
    config["tokenizer_class"] = class_name
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def match_unicode_form(text: TextWithOffsets, known: frozenset[str]) -> TextWithOffsets:
    """
    Compose (NFC) or else decompose (NFD) letters with marks, so that the known characters include them.

    Letters of which neither form is known stay as they are.
    """
    if unicodedata.is_normalized("NFC", text.text) and known.issuperset(text.text):
        return text
    letters = []
    for start, end in clusters(text.text):
        letter = text.slice(start, end)
        composed, decomposed = (unicodedata.normalize(form, letter.text) for form in ("NFC", "NFD"))
        forms = (composed, letter.text, decomposed) if end - start > 1 else (letter.text, composed, decomposed)
        new = next((form for form in forms if known.issuperset(form)), letter.text)
        if new != letter.text:
            letter = TextWithOffsets(new, None if text.spans is None else [text.span(start, end)] * len(new))
        letters.append(letter)
    return TextWithOffsets.join(letters, text.spans is not None)


def check_special_tokens(vocabulary: dict[str, int], **tokens: "str | AddedToken | None") -> None:
    """Raise ValueError if a special token is not in the vocabulary."""
    for name, token in tokens.items():
        if token is not None and str(token) not in vocabulary:
            raise ValueError(
                f"`{name}` is {str(token)!r}, which is not one of the {len(vocabulary)} tokens of the vocabulary. "
                "Name one of its tokens, or leave it out."
            )


def assign_added_ids(
    vocabulary: dict[str, int], added: "dict[int, AddedToken]", *required: "str | AddedToken"
) -> "dict[int, AddedToken]":
    """Return added and required tokens by ids that are not those of other tokens in the vocabulary.

    transformers takes the number of entries as the id of `<unk>`; in a vocabulary with a gap, such as the original
    VITS one, that is the id of its last token.
    """
    from transformers import AddedToken  # the front end works without transformers

    wanted = {str(token): (index, token) for index, token in added.items()}
    for token in required:
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
