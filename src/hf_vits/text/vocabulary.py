"""The files of a tokenizer: the vocabulary, special tokens against its symbols, and the declared options."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

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
    "framed": True,
}


def read(path: str) -> dict[str, int]:
    """Reads `vocab.json`; raises ValueError if it is not an object of symbols and ids, with one symbol at least."""
    with open(path, encoding="utf-8") as file:
        try:
            vocabulary = json.load(file)
        except ValueError as error:  # not JSON, or not UTF-8
            raise ValueError(f"{path} is not a JSON file ({error}). Write it again, or download it again.") from error
    wrong = f"a {type(vocabulary).__name__}"
    if isinstance(vocabulary, dict):
        pairs = [(symbol, index) for symbol, index in vocabulary.items() if type(index) is not int or index < 0]
        wrong = f"{pairs[0][0]!r}: {pairs[0][1]!r}" if pairs else "" if vocabulary else "no symbol"
    if wrong:
        raise ValueError(
            f"{path} must hold one JSON object that gives each symbol an id of 0 or more, such as {{'a': 1}}; "
            f"found {wrong}. Write it again."
        )
    return vocabulary


@contextmanager
def named_in_errors(name: str | PathLike) -> Iterator[None]:
    """Says of which tokenizer a configuration is that is not JSON, for which transformers gives line and column."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise ValueError(
            f"tokenizer_config.json, or another JSON file of the tokenizer {str(name)!r}, is broken ({error}). "
            "Write it again, or download it again."
        ) from error


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
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    if not isinstance(config, dict):
        raise ValueError(f"{path} must hold one JSON object, and this is a {type(config).__name__}. Write it again.")
    return config.get("tokenizer_class") == EXTENDED_CLASS or bool(EXTENSIONS.keys() & config.keys())


_OF_THE_LOADING = ("is_local", "local_files_only")  # transformers saves how the files were found


def update_config(path: str, class_name: str, options: dict[str, Any]) -> None:
    """Writes into `tokenizer_config.json` the class and those options that are not at their defaults."""
    with open(path, encoding="utf-8") as file:
        config = {k: v for k, v in json.load(file).items() if k not in EXTENSIONS and k not in _OF_THE_LOADING}
    config |= {name: value for name, value in options.items() if value != EXTENSIONS[name]}
    config["tokenizer_class"] = class_name
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


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
