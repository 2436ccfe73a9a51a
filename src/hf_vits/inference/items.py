"""The texts of a call of the pipeline, each with arguments of its own, and the arguments of a batch."""

from typing import Any

import numpy as np
from torch import Tensor

from hf_vits.prosody import arguments as prosody
from hf_vits.utils.formatting import meant

PER_TEXT_ARGUMENTS = ("speaker_id", "language_id", "noise_scale", "noise_scale_duration", "speaking_rate", "generator")
"""Arguments that take one value for all texts, or a list with one per text."""

BY_TOKEN = {"token_rates": 1.0, "durations": 0, "span_durations": None}
"""Arguments of the model with one value for each token, and that of padding; None for lists of spans."""

MAX_CHARACTERS = 1_000_000
"""Longest text of one call: a long book, and more than a day of speech."""


def text_and_arguments(text: str | dict) -> tuple[str, dict]:
    """Return the text of an item, and its own arguments if it is a dictionary."""
    arguments = {}
    if isinstance(text, dict):
        arguments = {name: value for name, value in text.items() if name != "text"}
        known = (*PER_TEXT_ARGUMENTS, *prosody.NAMES)
        unknown = sorted(arguments.keys() - set(known))
        if "text" not in text or unknown:
            hint = meant(unknown[0], known) if unknown else ""
            raise ValueError(
                f"An item has the keys {list(text)}{hint or '.'} It takes 'text' and any of {', '.join(known)}."
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


def merged(texts: Any, per_text: dict) -> list[dict]:
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


def padded(arguments: list[dict], names: set[str], size: int) -> dict[str, list]:
    """Return the arguments by token of a batch, (B, T_text)."""
    padded = {}
    for name in names & set(BY_TOKEN):
        rows = [item.get(name) for item in arguments]
        if name == "durations" and None in rows:
            raise ValueError("`durations` are given for some texts of a batch; give them for all, or `batch_size=1`.")
        if name == "span_durations":
            padded[name] = [[] if row is None else row[0] for row in rows]
            continue
        filled = [[1.0] * size if row is None else row[0] for row in rows]
        padded[name] = [[*row, *[BY_TOKEN[name]] * (size - len(row))] for row in filled]
    return padded


def is_list(value: Any) -> bool:
    """Return True for a list, a tuple, and an array or tensor of one axis."""
    return isinstance(value, list | tuple) or (isinstance(value, Tensor | np.ndarray) and value.ndim == 1)
