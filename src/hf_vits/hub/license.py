"""Find the license and origin of a voice, which the card of everything made from it must state."""

import logging
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData
from transformers.utils import cached_file

from hf_vits.hub.known_voices import VOICES
from hf_vits.utils.default_name import DEFAULT
from hf_vits.utils.files import read_text

logger = logging.getLogger(__name__)

CARD, CARD_BESIDE = "README.md", "README.run.md"
"""Names of the card of a voice; the second is used if the first exists and is somebody else's."""

LARGEST_CARD = 2**24
"""Bytes; a card has thousands."""

LARGEST_METADATA = 100_000
"""Characters of the metadata of a card, which take a second to parse; those of a voice are some hundred."""

TRAINED = re.compile(r"Trained with hf_vits from\s+`([^`]+)`")
"""The sentence of a run's card that names its base."""

MMS = re.compile(r"(.*/)?mms-tts-[^/]+")
"""Names of the voices of MMS, and of copies with the same name."""

MMS_LICENSE = "cc-by-nc-4.0"
PACKAGED_LICENSE_NAME = "cc0-recordings-on-a-research-licensed-base"


@dataclass(frozen=True)
class Provenance:
    """
    Name the voice that something is made from, and its license.

    Args:
        name (`str`, *optional*):
            A name on the Hub, or that of a folder without its path; empty if the voice had none.
        on_hub (`list[str]`, *optional*):
            Itself if it is on the Hub, else the closest voices there that it was made from.
        license, license_name, license_link (`str`, *optional*):
            As in the metadata of a model card; no `license` if it is unknown.
        terms (`str`, *optional*):
            The license in words, if its name is not enough.
        language (`list[str]`, *optional*):
            As in the metadata of its card.
        completed (`list[str]`, *optional*):
            Modules that it lacked, and that were trained on its own speech.
    """

    name: str = ""
    on_hub: list[str] = field(default_factory=list)
    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    terms: str = ""
    language: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)

    @property
    def is_non_commercial(self) -> bool:
        """Return whether the license forbids commercial use, as that of MMS does."""
        return re.search(r"(^|-)nc(-|$)", self.license or "") is not None

    @property
    def license_in_words(self) -> str:
        """Return the license in one line, such as cc-by-nc-4.0."""
        if not self.license:
            return "unknown"
        named = f"{self.license} ({self.license_name})" if self.license_name else self.license
        return f"{named}: {self.terms}" if self.terms else named


def origin_of(name_or_path: str) -> Provenance:
    """
    Return the origin of a voice, from its own card if that names a license, else from its name.

    A license that forbids commercial use is logged as a warning.
    """
    if not name_or_path:
        return Provenance()
    folder, is_folder, packaged = Path(name_or_path), Path(name_or_path).is_dir(), VOICES[DEFAULT]
    if folder.name.startswith(f"{packaged.name}-{packaged.onnx_sha256[:12]}"):
        return Provenance(packaged.name, [], "other", PACKAGED_LICENSE_NAME, None, packaged.license_text)
    name = Path(os.path.realpath(folder)).name if is_folder else name_or_path
    fields = _fields_in_card(name_or_path)
    if not is_folder:
        fields["on_hub"] = [name]
    if not fields.get("license") and MMS.fullmatch(name):
        fields["license"] = MMS_LICENSE
    origin = Provenance(name, **fields)
    if origin.is_non_commercial:
        logger.warning(f"{name} has the license {origin.license}: nothing made from it may be used commercially.")
    return origin


def origin_beside(folder: Path) -> Provenance | None:
    """
    Return the origin in a card beside the files of another project, such as those of an export.

    `None` if there is none, or if it names no license or is not clearly the card of a voice: files of other projects
    may be in any folder.
    """
    fields = _fields_in_card(str(folder), _is_of_voice)
    return Provenance(Path(os.path.realpath(folder)).name, **fields) if fields else None


def trained_from(name_or_path: str) -> list[str]:
    """Return the names of the voices that cards of training runs in a folder name as its base; empty if there are
    none."""
    found = []
    for name in (CARD, CARD_BESIDE):
        with suppress(ValueError, OSError):  # no card, or one that cannot be read, which is not an error
            found += TRAINED.findall(read_text(Path(name_or_path) / name, LARGEST_CARD))
    return found


def inherit_license(origin: Provenance, base: str | None = None) -> Provenance:
    """Return the origin with the license of MMS if the voice, or `base`, was made from it, whatever its card says."""
    base = next((name for name in (*origin.on_hub, base) if name and MMS.fullmatch(name)), None)
    if base is None or origin.is_non_commercial:
        return origin
    terms = f"that of {base}, which it was made from" + (f"; its card says {origin.license}" if origin.license else "")
    bases = origin.on_hub or [base]
    return replace(origin, on_hub=bases, license=MMS_LICENSE, license_name=None, license_link=None, terms=terms)


def joint_origin(first: Provenance, second: Provenance) -> Provenance:
    """
    Return the origin of a voice that is made from two.

    Its license is that of both if they have the same; else one that forbids commercial use if either does; else none is
    known if either's is not; else "other", in the words of both.
    """
    joint = replace(second, on_hub=list(dict.fromkeys([*first.on_hub, *second.on_hub])))
    if (first.license, first.license_name) == (second.license, second.license_name):
        return joint
    both = "; ".join(f"{one.name or 'a voice without a name'} has {one.license_in_words}" for one in (first, second))
    strict = next((one for one in (first, second) if one.is_non_commercial), None)
    if strict is not None:
        return replace(joint, license=strict.license, license_name=None, license_link=strict.license_link, terms=both)
    known = bool(first.license and second.license)
    license, name = ("other", "licenses-of-two-voices") if known else (None, None)
    return replace(joint, license=license, license_name=name, license_link=None, terms=both)


def _is_of_voice(card: ModelCardData) -> bool:
    values = (card.pipeline_tag, card.library_name, *_texts(card.tags))
    return bool(_text(card.license)) and any(value in ("text-to-speech", "vits") for value in values)


def _fields_in_card(name_or_path: str, fits: Callable[[ModelCardData], bool] = lambda card: True) -> dict[str, Any]:
    """Return the card of a voice as fields of `Provenance`; of two cards, the one that names a license."""
    cards = [_metadata(name_or_path, file) for file in (CARD, CARD_BESIDE)]
    cards = [data for data in cards if data is not None and fits(data)]
    card = next((data for data in cards if _text(data.license)), cards[0] if cards else None)
    if card is None:
        return {}
    name, link = _text(card.license_name), _text(card.license_link) or ""
    return {
        "on_hub": _texts(card.base_model),
        "license": _text(card.license),
        "license_name": name,
        "license_link": link if link.startswith("http") else None,  # other links are files beside that card
        "terms": VOICES[DEFAULT].license_text if name == PACKAGED_LICENSE_NAME else "",
        "language": _texts(card.language),
    }


def _metadata(name_or_path: str, file: str) -> ModelCardData | None:
    """Return the metadata of a card, or `None` if it is missing or unreadable, which is not an error."""
    try:
        path = cached_file(
            name_or_path,
            file,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
        if path is None:
            return None
        text = read_text(path, LARGEST_CARD)
        end = text.find("\n---", 3)
        return ModelCard(text[: end + 4], ignore_metadata_errors=True).data if end <= LARGEST_METADATA else None
    except Exception as error:  # a card is written by hand, and can hold anything
        logger.info(f"The card of {name_or_path} cannot be read: {str(error).splitlines()[:1]}")
        return None


def _text(value: object) -> str | None:
    """Return a value of metadata; old cards have lists of one value."""
    texts = _texts(value)
    return texts[0] if len(texts) == 1 else None


def _texts(value: object) -> list[str]:
    """Return the strings among a value or list of values."""
    values: Sequence = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str) and item]
