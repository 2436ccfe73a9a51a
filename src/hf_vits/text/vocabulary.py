"""The files of a tokenizer: the vocabulary, special tokens against its symbols, and the declared options."""

import json
from typing import Any

from transformers import AddedToken


def read_vocabulary(path: str) -> dict[str, int]:
    """Reads `vocab.json`; raises ValueError if it is not an object of symbols and ids."""
    with open(path, encoding="utf-8") as file:
        vocabulary = json.load(file)
    if not isinstance(vocabulary, dict) or not all(type(index) is int for index in vocabulary.values()):
        raise ValueError(f"{path} must hold one JSON object that gives each symbol an integer id, such as {{'a': 1}}.")
    return vocabulary


_OF_THE_LOADING = ("is_local", "local_files_only")  # transformers saves how the files were found


def update_config(path: str, class_name: str, options: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Writes into `tokenizer_config.json` the class and those options that are not at their defaults."""
    with open(path, encoding="utf-8") as file:
        config = {k: v for k, v in json.load(file).items() if k not in defaults and k not in _OF_THE_LOADING}
    config |= {name: value for name, value in options.items() if value != defaults[name]}
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
