"""Load a model by its name, with an error that says what to give; names of models for model cards."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from hf_vits.evaluation.normalization import is_english
from hf_vits.hub.cards import is_on_hub
from hf_vits.utils.logging import no_progress_bar

TIMEOUT = 5.0
"""Seconds to wait for the Hub."""


@contextmanager
def loading(kind: str, given: str, other: str = "") -> Iterator[None]:
    """
    Say what to give if a model of a kind, such as a recognizer, cannot be loaded; `other` is one more sentence. No
    progress bars of weights are shown.

    Raises:
        OSError: with the reason, and what can be given.
    """
    try:
        with no_progress_bar():
            yield
    except Exception as error:  # libraries raise errors of many kinds for a wrong name, a broken file and no network
        setting = kind.replace(" ", "_")
        reason = " ".join(str(error).split())[:300]
        raise OSError(
            f"{given} cannot be loaded ({type(error).__name__}: {reason}). Give the {kind}, as --{setting} or in "
            f"training --eval_{setting}, by {given.split(':')[0]}:FOLDER; or by a name on the Hub, which needs the "
            f"network once. {other}".rstrip()
        ) from error


def source_of(model: str) -> str:
    """
    Return what to load a model from: its name, or its folder in the cache of the Hub if that does not answer.

    One request is made, where loading by name repeats several for up to a minute.

    Raises:
        OSError: if the Hub does not answer and the model is not in its cache.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if not is_on_hub(model):
        return model
    try:
        get_hf_file_metadata(hf_hub_url(model, "config.json"), timeout=TIMEOUT)
    except HfHubHTTPError:  # an answer, which loading explains
        return model
    except Exception as error:  # the errors of its HTTP library, which is not the same in every version
        try:
            return snapshot_download(model, local_files_only=True)
        except LocalEntryNotFoundError:
            reason = f"{model} is not in the cache of the Hub, which does not answer: {error}"
            raise ConnectionError(reason) from error
    return model


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
