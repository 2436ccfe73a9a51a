"""Errors and messages about texts, and the checks of a tokenizer's input."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager

MAX_CHARACTERS = 100_000
_SHOWN = 12


class NoTokensError(ValueError):
    """Raised if no part of a text is in the vocabulary."""


class UnsupportedTextError(ValueError):
    """Raised in strict mode if a part of a text is not in the vocabulary or in a script of another language."""


def check_text(text: object) -> None:
    """Raise ValueError for anything but a string of at most 100,000 characters."""
    if not isinstance(text, str):
        raise ValueError(
            f"A text must be a string, and this is {shortened(repr(text))} ({type(text).__name__}). "
            "Give a string, or a list of strings for a batch."
        )
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"The text has {len(text):,} characters; the limit is {MAX_CHARACTERS:,}. "
            "Divide it with `hf_vits.text.sentence_splitter.split(text)`."
        )


def is_batch(text: object, text_pair: object, is_split_into_words: bool) -> bool:
    """Return True for a sequence of texts; raise ValueError for an empty one, for pairs and for split words."""
    if text_pair is not None or is_split_into_words:
        raise ValueError("Pairs of texts and split words are not supported: give a string, or a list for a batch.")
    batch = isinstance(text, Sequence) and not isinstance(text, str | bytes | bytearray)
    if batch and not len(text):
        raise ValueError("The batch is empty; give at least one text.")
    return batch


@contextmanager
def of_item(index: int | None) -> Iterator[None]:
    """Prepend the index of a text in its batch to an error; leave the error as it is for None."""
    try:
        yield
    except ValueError as error:
        if index is None:
            raise
        kind = NoTokensError if isinstance(error, NoTokensError) else ValueError
        raise kind(f"Text {index} of the batch: {error}") from error


def check_added_tokens(vocabulary: Container[str], tokens: object, special: bool) -> None:
    """Raise ValueError if one of the tokens is neither special nor in the vocabulary."""
    for token in tokens if isinstance(tokens, Sequence) and not isinstance(tokens, str) else [tokens]:
        if not special and not getattr(token, "special", False) and str(token) not in vocabulary:
            raise ValueError(
                f"{str(token)!r} cannot be added: the model was not trained on it. Write it with tokens of the "
                "vocabulary, or pass `special_tokens=True` for a special token that changes no id."
            )


def no_tokens_error(text: str, dropped: Counter, known: Iterable[str]) -> NoTokensError:
    """Return the error for a text of which nothing is in the vocabulary, which is shown if letters were dropped."""
    if any(character.isalnum() for character in dropped):
        return NoTokensError(
            f"Nothing of the text {shortened(text)!r} is in the vocabulary: {describe_dropped(dropped)}. "
            f"The vocabulary contains {shortened(''.join(sorted(known)))!r}."
        )
    reason = "nothing in it is read aloud" if text.strip() else "it is empty"
    reason = f"{reason}; {describe_dropped(dropped)}" if dropped else reason
    return NoTokensError(f"Nothing of the text {shortened(text)!r} is left to speak: {reason}. Give a text with words.")


def dropped_message(dropped: Counter) -> str:
    """Return the warning about characters that are not in the vocabulary."""
    return f"The vocabulary lacks parts of the text: {describe_dropped(dropped)}."


def describe_dropped(dropped: Counter) -> str:
    """Return how many characters were dropped, and which; an empty string if none were."""
    total = dropped.total()
    return f"dropped {total} character{'s' * (total != 1)}: {format_counts(dropped)}" if dropped else ""


def format_counts(characters: Counter) -> str:
    """Format counts of characters in one line, the most frequent first, then by code point."""
    items = sorted(characters.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {len(items) - _SHOWN} others" if len(items) > _SHOWN else ""
    return ", ".join(f"{character!r} x{count}" for character, count in items[:_SHOWN]) + more


def shortened(text: str, most: int = 60) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= most else text[:most] + "..."
