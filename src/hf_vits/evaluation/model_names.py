"""Load a model that a setting names, with an error that says what to give; names of models for model cards."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from hf_vits.evaluation.normalization import is_english


@contextmanager
def loading(setting: str, given: str) -> Iterator[None]:
    """
    Name the setting if a model cannot be loaded.

    Raises:
        OSError: with the reason, and what can be given.
    """
    try:
        yield
    except Exception as error:  # libraries raise errors of many kinds for a wrong name, a broken file and no network
        reason = " ".join(str(error).split())[:300]
        raise OSError(
            f"{given} cannot be loaded ({type(error).__name__}: {reason}). Give `{setting}` the folder of a model, as "
            f"{given.split(':')[0]}:FOLDER; or the name of one on the Hub, which needs the network once."
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
        f"The recognizer {shown_model(model)} has no language {language!r}. Give `eval_language` one of "
        f"{', '.join(sorted(known))}, or `eval_recognizer` a model of that language."
    )
