"""What every card says in the same way: names on the Hub, languages, versions."""

import platform
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hf_vits import __version__
from hf_vits.tokenization_vits import VitsTokenizer

LIBRARIES = ("torch", "transformers", "accelerate", "datasets")
ON_HUB = re.compile(r"[\w.-]+/[\w.-]+")


def is_on_hub(name: str | None) -> bool:
    """Whether a name is one of the Hub and not that of a file or folder here."""
    return bool(name) and ON_HUB.fullmatch(name) is not None and not Path(name).exists()


def called(name: str) -> str:
    """The name of a data set: a link to the Hub, or that of a file or folder without its place."""
    if is_on_hub(name):
        return f"[{name}](https://huggingface.co/datasets/{name})"
    path = Path(name).expanduser()
    return f"`{path.resolve().name if path.exists() or path.is_absolute() else name}`"


def language_code(tokenizer: VitsTokenizer) -> str | None:
    """An ISO 639 code, from eng or en-us."""
    code = re.match(r"[a-z]{2,3}(?![a-z])", tokenizer.language or tokenizer.phoneme_language or "")
    return code and code[0]


def versions() -> str:
    """A section of a card with the versions of what was used."""
    numbers = [("python", platform.python_version()), *_numbers(LIBRARIES), ("hf_vits", __version__)]
    return "\n".join(["## Versions", "", "| | |", "|---|---|", *(f"| {name} | {number} |" for name, number in numbers)])


def _numbers(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
