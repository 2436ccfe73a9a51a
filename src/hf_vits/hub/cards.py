"""Parts that all model cards and data set cards share: names on the Hub, languages, versions, login."""

import platform
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData

from hf_vits.hub.license import Provenance
from hf_vits.tokenization_vits import VitsTokenizer

LIBRARIES = ("torch", "transformers", "accelerate", "datasets")
ON_HUB = re.compile(r"[\w.-]+/[\w.-]+")


def is_on_hub(name: str | None) -> bool:
    """Return whether a name is one on the Hub and not that of a file or folder here."""
    return bool(name) and ON_HUB.fullmatch(name) is not None and not Path(name).exists()


def called(name: str) -> str:
    """Return the name of a data set: a link to the Hub, or that of a file or folder without its path."""
    if is_on_hub(name):
        return f"[{name}](https://huggingface.co/datasets/{name})"
    path = Path(name).expanduser()
    return f"`{path.resolve().name if path.exists() or path.is_absolute() else name}`"


def plain_name(name: str) -> str:
    """Return the name of a data set, a file or a folder as text: the last two without their path."""
    return name if is_on_hub(name) else called(name).strip("`")


def language_code(tokenizer: VitsTokenizer) -> str | None:
    """Return an ISO 639 code, from eng or en-us."""
    code = re.match(r"[a-z]{2,3}(?![a-z])", tokenizer.language or tokenizer.phoneme_language or "")
    return code and code[0]


def versions() -> str:
    """Return a section of a card with the versions of Python and libraries."""
    numbers = [("python", platform.python_version()), *_numbers((*LIBRARIES, "hf_vits"))]
    return "\n".join(["## Versions", "", "| | |", "|---|---|", *(f"| {name} | {number} |" for name, number in numbers)])


def _numbers(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def card(
    name: str,
    origin: Provenance | None,
    tokenizer: VitsTokenizer | None,
    notes: Sequence[str],
    library: str = "hf_vits",
    title: str = "Conversion",
    relation: str | None = None,
) -> ModelCard:
    """
    Return the model card of a converted, completed or merged voice.

    Args:
        name (`str`):
            Name of the voice.
        origin ([`Provenance`], *optional*):
            Its license and what it was made from.
        tokenizer ([`VitsTokenizer`], *optional*):
            Its language is added to the metadata.
        notes (`Sequence[str]`):
            Notes on how it was made.
        library (`str`, *optional*, defaults to `"hf_vits"`):
            The library that reads its files.
        title (`str`, *optional*, defaults to `"Conversion"`):
            Title of the section with the notes.
        relation (`str`, *optional*):
            The relation to the voices that it was made from, as in the metadata of the Hub: "merge".
    """
    origin = origin or Provenance()
    data = ModelCardData(
        license=origin.license,
        license_name=origin.license_name,
        license_link=origin.license_link,
        base_model=origin.on_hub or None,
        **({"base_model_relation": relation} if relation and origin.on_hub else {}),
        language=origin.language or (language_code(tokenizer) if tokenizer else None),
        library_name=library,
        pipeline_tag="text-to-speech",
        tags=["text-to-speech", "vits"],
    )
    known = f"Its license: {origin.license_in_words}."
    verb = "converted" if title == "Conversion" else "made"
    terms = known if origin.license else f"Its license is not known here: add that of the voice it was {verb} from."
    items = "\n".join(f"- {note}" for note in notes)
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n# {name}\n\n{terms}\n\n## {title}\n\n{items}\n\n{versions()}\n")


def check_login(what: str) -> None:
    """Raise `PermissionError` if nobody is logged in, before `what` is made and cannot be uploaded."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    try:
        HfApi().whoami()
    except (HfHubHTTPError, LocalTokenNotFoundError) as error:
        raise PermissionError(
            f"The {what} cannot be uploaded, nobody is logged in to the Hub ({str(error).splitlines()[0]}). Run "
            "`hf auth login`, or set HF_TOKEN, or leave out what asks for the upload."
        ) from error
