"""Load a model by its name, with an error that says what to give; names of models for model cards."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from hf_vits.evaluation.normalization import is_english


@contextmanager
def loading(kind: str, given: str, other: str = "") -> Iterator[None]:
    """
    Say what to give if a model of a kind, such as a recognizer, cannot be loaded; `other` is one more sentence.

    Raises:
        OSError: with the reason, and what can be given.
    """
    try:
        yield
    except Exception as error:  # libraries raise errors of many kinds for a wrong name, a broken file and no network
        reason = " ".join(str(error).split())[:300]
        raise OSError(
            f"{given} cannot be loaded ({type(error).__name__}: {reason}). Give the {kind} as "
            f"{given.split(':')[0]}:FOLDER; or with a name on the Hub, which needs the network once. {other}".rstrip()
        ) from error


def shown_model(model: str) -> str:
    """Return the name of a model, of a folder without its path."""
    return Path(model).resolve().name if Path(model).exists() else model


def language_without_region(language: str | None, known: Collection[str], model: str) -> str | None:
    """
    Return the code by which a recognizer knows a language, `en` for `en-us`; `None` if no language is given.

    Raises:
        ValueError: if it does not know the language.
    """
    if language is None:
        return None
    code = language.lower()
    for candidate in (code, code.split("-")[0], "en" if is_english(code) else code):
        if candidate in known:
            return candidate
    raise ValueError(
        f"The recognizer {shown_model(model)} has no language {language!r}. It has {', '.join(sorted(known))}: give "
        "one of these as the language to recognize, or a recognizer of yours."
    )
