"""What is said to a caller whose text cannot be spoken, or not all of it."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager

MOST_CHARACTERS = 100_000
_SHOWN = 12


class NoTokensError(ValueError):
    """A text holds nothing that the voice knows."""


class UnsupportedTextError(ValueError):
    """A text holds what the voice cannot read as it is written."""


def check_text(text: object) -> None:
    """Raises ValueError for anything but a string of at most 100,000 characters."""
    if not isinstance(text, str):
        raise ValueError(
            f"A text must be a string, and this is {shortened(repr(text))} ({type(text).__name__}). "
            "Give a string, or a list of strings for a batch."
        )
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"The text has {len(text):,} characters and one call takes {MOST_CHARACTERS:,}. "
            "Divide it with `hf_vits.text.sentence_splitter.split(text)`."
        )


def is_batch(text: object, text_pair: object, words: bool) -> bool:
    """Whether the text is a sequence of texts; raises ValueError for an empty one and for pairs and split words."""
    if text_pair is not None or words:
        raise ValueError("A voice speaks one text at a time: give a string, or a list of strings for a batch.")
    batch = isinstance(text, Sequence) and not isinstance(text, str | bytes | bytearray)
    if batch and not len(text):
        raise ValueError("The batch is empty; give at least one text.")
    return batch


@contextmanager
def of_item(index: int | None) -> Iterator[None]:
    """Says in an error which text of a batch it is about, counting from 0; nothing for None."""
    try:
        yield
    except ValueError as error:
        if index is None:
            raise
        kind = NoTokensError if isinstance(error, NoTokensError) else ValueError
        raise kind(f"Text {index} of the batch: {error}") from error


def check_added(symbols: Container[str], tokens: object, special: bool) -> None:
    """Raises ValueError if one of the tokens is neither special nor a symbol already."""
    for token in tokens if isinstance(tokens, Sequence) and not isinstance(tokens, str) else [tokens]:
        if not special and not getattr(token, "special", False) and str(token) not in symbols:
            raise ValueError(
                f"{str(token)!r} cannot be added: the model has no sound for a symbol that it was not trained on. "
                "Spell it with the symbols of the voice, or pass `special_tokens=True` for a name that changes no id."
            )


def nothing_left(text: str, dropped: Counter, known: Iterable[str]) -> NoTokensError:
    """The error for a text without a single symbol that the voice knows."""
    reason = describe_dropped(dropped) or "there is nothing to say in it"
    return NoTokensError(
        f"Nothing of the text {shortened(text)!r} can be spoken: {reason}. "
        f"The voice knows {shortened(''.join(sorted(known)))!r}."
    )


def shortened(text: str, most: int = 60) -> str:
    """The beginning of a text."""
    return text if len(text) <= most else text[:most] + "..."


def describe_dropped(dropped: Counter) -> str:
    """How many characters were dropped, and which; empty if none were."""
    total = dropped.total()
    return f"dropped {total} character{'s' * (total != 1)}: {format_counts(dropped)}" if dropped else ""


def format_counts(characters: Counter) -> str:
    """Characters with their counts in one line, the most frequent first, and equally frequent ones by code point."""
    items = sorted(characters.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {len(items) - _SHOWN} others" if len(items) > _SHOWN else ""
    return ", ".join(f"{character!r} x{count}" for character, count in items[:_SHOWN]) + more
