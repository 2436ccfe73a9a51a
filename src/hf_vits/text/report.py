"""What is said to a caller whose text cannot be spoken, or not all of it."""

from collections import Counter
from collections.abc import Iterable, Sequence

MOST_CHARACTERS = 100_000
_SHOWN = 12


class NothingToSayError(ValueError):
    """A text holds nothing that the voice knows."""


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
            "Divide it with `hf_vits.text.sentences.split(text)`."
        )


def is_batch(text: object, text_pair: object, words: bool) -> bool:
    """Whether the text is a sequence of texts; raises ValueError for an empty one and for pairs and split words."""
    if text_pair is not None or words:
        raise ValueError("A voice speaks one text at a time: give a string, or a list of strings for a batch.")
    batch = isinstance(text, Sequence) and not isinstance(text, str)
    if batch and not len(text):
        raise ValueError("The batch is empty; give at least one text.")
    return batch


def nothing_left(text: str, dropped: Counter, known: Iterable[str]) -> NothingToSayError:
    """The error for a text without a single symbol that the voice knows."""
    reason = listed(dropped) or "there is nothing to say in it"
    return NothingToSayError(
        f"Nothing of the text {shortened(text)!r} can be spoken: {reason}. The voice knows {''.join(sorted(known))!r}."
    )


def shortened(text: str, most: int = 60) -> str:
    """The beginning of a text."""
    return text if len(text) <= most else text[:most] + "..."


def listed(dropped: Counter) -> str:
    """A count of dropped characters in one line, the most frequent first; empty if there are none."""
    if not dropped:
        return ""
    items = sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
    line = ", ".join(f"{character!r} x{count}" for character, count in items[:_SHOWN])
    more = f" and {len(items) - _SHOWN} others" if len(items) > _SHOWN else ""
    return f"dropped {dropped.total()} characters: {line}{more}"
